"""A process of its own that fills a store until it is killed, or opens one and says how long.

    python -P -m vanban_bench.micro._queue_child fill PATH FIRST COUNT
    python -P -m vanban_bench.micro._queue_child open PATH

`fill` prints "ready" when COUNT documents are accepted, and goes on until it is killed.  `open`
prints the seconds that opening took, those to the first answer, and how many documents there
are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import Final

from vanban_bench.micro._queue_store import OurStore
from vanban_bench.workloads.queue_country import country_of
from vanban_bench.workloads.queue_documents import Feed

_GROUP: Final = 64


def main() -> None:
    """Do one of the two."""
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "fill":
        _fill(path, int(sys.argv[3]), int(sys.argv[4]))
    else:
        _open(path)


def _fill(path: Path, first: int, count: int) -> None:
    feed = Feed(country_of(4, 8, 60, 2).letters())
    store = OurStore()
    store.reopen(path)
    number = first
    while True:
        store.accept(feed.group(number, _GROUP))
        number += _GROUP
        if number - first >= count > number - first - _GROUP:
            print("ready", flush=True)


def _open(path: Path) -> None:
    store = OurStore()
    begun = perf_counter()
    store.reopen(path)
    opened = perf_counter() - begun
    documents = store.documents()
    answered = perf_counter() - begun
    print(opened, answered, documents, flush=True)
    store.close()


if __name__ == "__main__":
    main()
