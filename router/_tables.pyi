"""Compiled only: the tables of one hierarchy (no Python names)."""
