"""Placeholder docstring; the room writes its own."""
