"""Compiled only: sets of few units as the bits of a word (no Python names)."""
