"""RFC 6962, section 2.1, word for word: slow, recursive, and nothing shared with the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(count: int) -> int:
    """Return k: the largest power of two smaller than the count."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def root_of(documents: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if len(documents) == 1:
        return sha256(b"\x00" + documents[0])
    k = split(len(documents))
    return sha256(b"\x01" + root_of(documents[:k]) + root_of(documents[k:]))


def path_of(index: int, documents: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.1."""
    if len(documents) == 1:
        return []
    k = split(len(documents))
    if index < k:
        return [*path_of(index, documents[:k]), root_of(documents[k:])]
    return [*path_of(index - k, documents[k:]), root_of(documents[:k])]


def leads_to(document: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """The check of RFC 9162, section 2.1.3.2, step by step."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, sha256(b"\x00" + document)
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha256(b"\x01" + p + r)
            if not fn & 1:
                while not (fn & 1 or fn == 0):
                    fn >>= 1
                    sn >>= 1
        else:
            r = sha256(b"\x01" + r + p)
        fn >>= 1
        sn >>= 1
    return sn == 0 and r == root
