"""Compiled only: decides one document (no Python names)."""
