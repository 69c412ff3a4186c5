"""The tests of the knowledge base and the service."""
