"""The service's tables and its transactions."""
