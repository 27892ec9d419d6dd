"""Compiled only: which rules apply to one document (no Python names)."""
