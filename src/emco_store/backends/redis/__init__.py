"""The Redis backend: one script for each commit, seven keys for each namespace, all in one hash slot."""
