"""The fast transport: commands that the store itself writes on PyMongo's connections."""
