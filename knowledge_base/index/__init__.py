"""The encoder and the generations: exported, built, sealed and verified; the only place that knows FAISS."""
