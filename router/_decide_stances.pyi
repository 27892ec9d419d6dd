"""Compiled only: what senders make of the rules, remembered (no Python names)."""
