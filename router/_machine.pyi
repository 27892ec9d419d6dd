"""Compiled only: the machine that runs selector programs (no Python names)."""
