"""Compiled only: entries after acceptance, feeds, records of rooms (no Python names)."""

__all__: list[str] = []
