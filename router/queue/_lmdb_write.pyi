"""Compiled only: writing into LMDB (no Python names)."""
