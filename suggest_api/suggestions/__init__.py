"""From a customer's words to ranked snippets that the database still approves."""
