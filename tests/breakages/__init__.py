"""The ways in which EMCO's data could be broken, each with its number, and why none of them leads anywhere here."""
