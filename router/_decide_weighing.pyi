"""Compiled only: the algebra over few recipients (no Python names)."""
