"""Leases whose beats come from a real process of their own, on real servers."""
