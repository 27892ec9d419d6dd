"""Compiled only: what senders make of the rules, remembered (no Python names)."""

__all__: list[str] = []
