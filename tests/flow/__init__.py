"""Tests of the whole way of a message, with every part real and both databases."""
