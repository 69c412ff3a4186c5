"""A small social network for the demo and the tests: its own process, which knows Firstline by its webhooks only.

It posts signed Standard Webhooks events, also duplicated, late and out of order on request, keeps what could not
be delivered yet, takes our sends, and has a chat page where one writes as the customer. It imports nothing of
Firstline.
"""
