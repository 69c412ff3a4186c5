"""Tests of the networks, each against a real HTTP server that plays its other side."""
