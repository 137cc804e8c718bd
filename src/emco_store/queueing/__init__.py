"""Queues of one store, by key: calls that want the same record take turns instead of losing races to each other."""
