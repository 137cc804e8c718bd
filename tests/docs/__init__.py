"""Tests of the documentation against the code that it describes."""
