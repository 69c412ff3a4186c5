"""Real HTTP servers that play the other side: a network that takes our sends, and Rasa's REST channel."""
