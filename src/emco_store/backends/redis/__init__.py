"""The Redis backend: one script for each commit, six keys for each namespace, all in one hash slot."""
