"""Compiled only: memory and sets of a decision (no Python names)."""
