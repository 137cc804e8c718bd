"""Tests of the EMCO profile: its catalogue, its anchors and its bundles."""
