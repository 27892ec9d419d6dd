"""What changes of deliveries change."""

__all__ = ["legal_moves"]

def legal_moves() -> set[tuple[int, int]]:
    """Return the pairs (state, state after) that the compiled rules allow."""
