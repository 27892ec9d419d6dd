"""Compiled only: sorted arrays that never change once made (no Python names)."""
