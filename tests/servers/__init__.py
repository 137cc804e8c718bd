"""Real servers for the tests: found, started on free ports with folders of their own, and stopped."""
