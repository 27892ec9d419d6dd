"""Finds a member name that stands twice in one JSON object."""

__all__ = ["find_duplicate_member"]

def find_duplicate_member(data: bytes, depth_max: int = 32) -> tuple[int, str] | None: ...
