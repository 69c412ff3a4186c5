"""Canned texts of other desks as rows of ours: Chatwoot, Zammad and Zendesk, told apart by their shape."""

from knowledge_base.exchange.desks.reading import DESKS, read_csv, read_json

__all__ = ["DESKS", "read_csv", "read_json"]
