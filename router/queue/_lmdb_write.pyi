"""Compiled only: writing into LMDB (no Python names)."""

__all__: list[str] = []
