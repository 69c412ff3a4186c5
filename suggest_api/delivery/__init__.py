"""Delivery: replies on their way out, in order, leased, tried again, and shown when it is unclear."""
