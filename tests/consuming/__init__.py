"""Consumers and relays against real processes and servers."""
