"""Tests of the key-value base."""
