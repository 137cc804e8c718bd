"""The fast transports: requests that the store itself writes on redis-py's connections."""
