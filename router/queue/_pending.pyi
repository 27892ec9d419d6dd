"""How much is open for each unit that was written to by name."""

from typing import final

__all__ = ["Pending"]

@final
class Pending:
    """Counts by address; under the store's lock."""

    def __new__(cls) -> Pending: ...
