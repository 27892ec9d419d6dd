"""Compiled only: the index that finds the rules a document may meet (no Python names)."""
