"""Compiled only: a unit's inbox, entry by entry (no Python names)."""

__all__: list[str] = []
