"""Hand-written driver code, as short as it can be while it keeps the same promises; reviewed in the modules."""
