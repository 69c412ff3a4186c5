"""Parts of the Rasa server: the encoder as a featurizer, the entity patterns, the private REST channel."""
