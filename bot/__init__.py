"""The Rasa assistant: first contact, approved answers, and the hand-over to a person."""
