"""No test may start the sources of the tree instead of the installed package.

`python -m router` puts the current folder first in the module search path; started from the
tree, it would run uncompiled sources, or fail for want of the core.  `-P` forbids that.
"""

from __future__ import annotations

import re

import pytest
from support.sources import ROOT, kept_files

# The flag -P must stand before -m, within the same list of arguments.
START = re.compile(r"""(?P<before>(?:"-\w+",\s*)*)"-m",\s*"(?:router|vanban_\w+)[\w.]*\"""")


def unguarded(text: str) -> list[str]:
    return [match.group() for match in START.finditer(text) if '"-P"' not in match["before"]]


def test_no_test_starts_the_tree() -> None:
    files = [path for path in kept_files() if path.suffix == ".py"]
    tests = [path for path in files if path.is_relative_to(ROOT / "tests")]
    found = {
        str(path.relative_to(ROOT)): starts
        for path in tests
        if (starts := unguarded(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("arguments", "bad"),
    [
        ('"-m", ' + '"router", "serve"', True),
        ('"-X", "-m", ' + '"vanban_bench.simulator"', True),
        ('"-P", "-m", ' + '"router"', False),
        ('"-m", ' + '"pip"', False),
    ],
)
def test_an_unguarded_start_is_noticed(arguments: str, bad: bool) -> None:
    assert bool(unguarded(arguments)) == bad
