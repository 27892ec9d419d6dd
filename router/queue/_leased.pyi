"""A delivery as it is handed out."""

from typing import final

__all__ = ["Leased"]

@final
class Leased:
    """One delivery handed out; `attempt` counts from 1, `accepted_at` is an instant.

    It does not change.  `key`, `envelope` and `facts` are cut when they are asked for, out of
    memory that all deliveries of one lease share.
    """

    def __init__(
        self,
        key: bytes,
        sequence: int,
        lane: int,
        attempt: int,
        envelope: bytes,
        facts: bytes,
        accepted_at: int,
    ) -> None: ...
    def __hash__(self) -> int: ...
    @property
    def key(self) -> bytes:
        """The engine's 16-byte key of the document."""
    @property
    def sequence(self) -> int: ...
    @property
    def lane(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def envelope(self) -> bytes:
        """The envelope as it was accepted."""
    @property
    def facts(self) -> bytes:
        """What was judged of it at acceptance."""
    @property
    def accepted_at(self) -> int: ...
    @property
    def body_bytes(self) -> int:
        """How many bytes envelope and facts have together."""
