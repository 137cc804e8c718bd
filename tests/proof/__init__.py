"""The attacks on the promises, in small: the checkers can fail, and the store gives them no reason to."""
