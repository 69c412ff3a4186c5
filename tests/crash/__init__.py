"""Crash tests: parts are killed while conversations go on, and a ledger of our own decides whether all is well."""
