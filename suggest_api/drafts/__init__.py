"""What was offered, its proof, and what became of it."""
