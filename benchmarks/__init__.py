"""How fast it is: the same work by emco_store, by hand-written safe driver code and by other mappers, in one run."""
