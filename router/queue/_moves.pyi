"""Changes of deliveries: how they are written down, and what they change."""

__all__ = ["legal_moves"]

def legal_moves() -> set[tuple[int, int]]:
    """Return the pairs (state, state after) that the compiled rules allow."""
