"""The pages of governed content: who writes, reviews, publishes, freezes and looks back does it here."""
