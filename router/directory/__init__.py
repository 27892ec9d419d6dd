"""The directory room (danh mục đơn vị): all units with their dates, and who is meant by a selector.

Pure: the engine appends the changes planned here to the one log and applies them back with
the sequence they got.  Nothing here touches files, clocks or other rooms of its height.
"""

from router.directory.changes import Change, FactsLearnt, decode_change, encode_change
from router.directory.digests import Digests
from router.directory.directory import Directory
from router.directory.history import ChangeMade, Version
from router.directory.resolve import Resolution, ResolveItem
from router.directory.snapshot import Snapshot

__all__ = [
    "Change",
    "ChangeMade",
    "Digests",
    "Directory",
    "FactsLearnt",
    "Resolution",
    "ResolveItem",
    "Snapshot",
    "Version",
    "decode_change",
    "encode_change",
]
