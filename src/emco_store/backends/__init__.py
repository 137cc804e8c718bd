"""Backends: each answers the reads and performs the one write of ``emco_store.ports``, and decides nothing."""
