"""Compiled only: the order of units (no Python names)."""
