"""The tests of emco_store."""
