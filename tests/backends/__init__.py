"""Each backend against the contract."""
