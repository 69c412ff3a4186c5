"""Questions that nothing answered, and phrasings that accepted suggestions propose."""
