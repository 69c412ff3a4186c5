"""Benchmarks: run by hand, each a module with a command line of its own."""
