"""What means the same: clusters of questions, nearest snippets, duplicates, contradictions, merges."""
