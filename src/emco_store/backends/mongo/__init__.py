"""The MongoDB backend: one collection for each namespace, one update command for each commit."""
