"""Other mappers, each used as its own documentation tells; what it does not guarantee stands beside its figures."""
