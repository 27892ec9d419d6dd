"""Compiled only: the texts of an envelope of a tree (no Python names)."""
