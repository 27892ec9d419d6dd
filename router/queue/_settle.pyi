"""Compiled only: one delivery looked at, and what its recipient wants (no Python names)."""

__all__: list[str] = []
