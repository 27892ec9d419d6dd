"""Compiled only: counts of an audience by tier (no Python names)."""
