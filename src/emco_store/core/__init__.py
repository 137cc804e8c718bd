"""The pure core: no clock, no randomness, no I/O and no driver; everything it needs comes in as values."""
