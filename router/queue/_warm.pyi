"""What was met lately of rows that never change, kept in memory."""

from typing import final

__all__ = ["Warm"]

@final
class Warm:
    """Documents and audiences met lately; under the store's lock."""

    def __new__(cls) -> Warm: ...
