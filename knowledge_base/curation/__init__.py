"""What content teams do with snippets beyond one workflow step: write, look over, verify again."""
