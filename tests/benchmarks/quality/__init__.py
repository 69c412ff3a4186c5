"""Measures which snippet comes first, how sure the ranking is, and when it stays silent."""
