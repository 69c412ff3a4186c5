"""Conversations: the event log of each, who owns the reply, and the events as they came in."""
