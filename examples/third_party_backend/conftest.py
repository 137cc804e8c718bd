"""Loads the suite's fixtures and its report."""

pytest_plugins = ["emco_store.contracts.plugin"]
