"""Reads envelopes whose one signature is a detached JWS, many at once and without the GIL."""

from typing import Final, NoReturn, final

__all__ = ["HEADER_TEXTS_BYTES_MAX", "PlainEnvelopes"]

HEADER_TEXTS_BYTES_MAX: Final[int]

@final
class PlainEnvelopes:
    nbytes: int
    def __new__(cls) -> PlainEnvelopes: ...
    def __reduce__(self) -> NoReturn: ...
    def read(self, raws: list[bytes]) -> list[tuple[str, bytes, bytes] | None]: ...
