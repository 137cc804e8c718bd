"""The Redis backend on real servers: what fails, what is refused, and who may talk to it."""
