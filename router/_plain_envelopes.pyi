"""Reads envelopes whose one signature is a detached JWS, many at once and without the GIL."""

from typing import NoReturn, final

__all__ = ["PlainEnvelopes"]

@final
class PlainEnvelopes:
    def __init__(self) -> None: ...
    def __reduce__(self) -> NoReturn: ...
    def read(self, raws: list[bytes]) -> list[tuple[str, bytes, bytes] | None]: ...
