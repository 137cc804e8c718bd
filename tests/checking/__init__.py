"""Checks and repairs: damage is planted with the drivers, found, repaired where that is possible, and gone."""
