"""Compiled only: large commits of LMDB, step by step (no Python names)."""

__all__: list[str] = []
