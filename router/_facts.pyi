"""Compiled only: facts in C columns (no Python names)."""
