"""Compiled only: how changes of deliveries are written down (no Python names)."""

__all__: list[str] = []
