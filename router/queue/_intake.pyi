"""Compiled only: documents as they are accepted (no Python names)."""

__all__: list[str] = []
