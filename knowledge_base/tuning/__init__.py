"""Adapting the encoder to the approved phrasings: contrastive tuning, checkpoints, and whether it got better."""
