"""What is not answered for the time being: topics, or everything but a holding statement."""
