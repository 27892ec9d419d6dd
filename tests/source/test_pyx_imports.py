"""Compiled sources keep to the heights of the rooms, as Python modules do.

A `cimport` upwards would tie the core to what stands on it; import-linter does not read
.pyx and .pxd files, so the same table is held here.
"""

from __future__ import annotations

import pytest
from support.rooms import HEIGHTS, cython_offences, imports_of_cython, imports_of_door
from support.sources import ROOT, module_name, source_files


def test_compiled_sources_import_downwards_only() -> None:
    found = []
    for path in source_files(".pyx", ".pxd"):
        found += cython_offences(path.read_text(encoding="utf-8"), module_name(path))
    assert found == []


def test_no_room_imports_through_the_door() -> None:
    found = {
        module_name(path): names
        for path in source_files(".py")
        if module_name(path).startswith("router.")
        and (names := imports_of_door(path.read_text(encoding="utf-8")))
    }
    # The command line may ask the door for its version.
    assert {name: names for name, names in found.items() if names != ["__version__"]} == {}


def test_every_room_of_the_tree_has_a_height() -> None:
    tops = {
        ".".join(module_name(path).split(".")[:2])
        for path in source_files(".py", ".pyx")
        if module_name(path).startswith("router.")
    }
    assert tops - set(HEIGHTS) == set()
    assert (ROOT / "router").is_dir()


@pytest.mark.parametrize(
    "text",
    [
        "from router.selectors.parse import parse\n",
        "cimport router.queue._lmdb\n",
        "import os, router.engine as engine\n",
        "from router import directory\n",
        "from . cimport queue\n",
        "from .selectors cimport (\n    a,\n    b,\n)\n",
        "def f():\n    from router.cli import main\n",
    ],
)
def test_an_import_upwards_is_noticed(text: str) -> None:
    assert cython_offences(text, "router._core") != []


def test_an_import_downwards_or_from_elsewhere_is_none_of_its_business() -> None:
    text = (
        "from libc.stdint cimport uint32_t\nimport hashlib\nfrom router import limits\n"
        "from router.errors import InputError\nfrom router._json cimport scan\n"
    )
    assert cython_offences(text, "router._core") == []
    assert "router.limits" in imports_of_cython(text, "router._core")


def test_a_name_taken_through_the_door_is_noticed() -> None:
    assert imports_of_door("from router import Engine, limits\n") == ["Engine"]
