"""The gate: a text goes on with a verdict on exactly its bytes, or not at all."""
