"""The packs that come with Firstline, read once in each test process: they are frozen, and it takes a while."""

from __future__ import annotations

from functools import cache

from knowledge_base.policy import Policy, load_policy


@cache
def starter_policy() -> Policy:
    """What `load_policy()` gives."""
    return load_policy()
