"""Compiled only: decisions as objects (no Python names)."""
