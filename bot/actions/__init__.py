"""What the assistant does: one module per concern, run by the rasa-sdk action server."""
