"""The knowledge base: approved snippets, policy, generations and ranking, as a library and CLI commands."""
