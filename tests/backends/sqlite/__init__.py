"""The SQLite backend: what several processes, other programs and disks do to its file."""
