"""Frozen msgspec structs that every room above speaks in."""
