"""The SQLite backend: one file that several processes use, without a server."""
