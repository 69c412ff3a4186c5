"""The demo: the real parts in small, started, seeded and played through on one machine."""
