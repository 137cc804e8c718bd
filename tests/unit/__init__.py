"""The pure core, piece by piece: no store, no backend."""
