"""Compiled only: what is open for units that were written to by name (no Python names)."""

__all__: list[str] = []
