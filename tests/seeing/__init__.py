"""What a store shows of itself: spans, metrics, and lines in the log."""
