"""Imports go down only, siblings of one height ignore each other: checked by import-linter.

The contract stands in pyproject.toml.  A contract that can't fail protects nothing, so each
kind of offence is also planted in a copy of the tree and must turn it red.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from support.rooms import HEIGHTS
from support.sources import ROOT, source_files

LINTER = Path(sysconfig.get_path("scripts")) / "lint-imports"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the Python sources, with the three packages under their installed names."""
    places = {
        "router": "router",
        "bench": "vanban_bench",
        "bindings/vanban_client": "vanban_client",
    }
    for path in source_files(".py"):
        relative = path.relative_to(ROOT)
        for folder, package in places.items():
            if relative.is_relative_to(folder):
                target = tmp_path / package / relative.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def test_the_rooms_keep_the_contract(copy: Path) -> None:
    ran = lint(copy)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("router/model/units.py", "import router.engine", "imports between rooms"),
        ("router/policy/planted.py", "import router.directory", "imports between rooms"),
        ("router/server/planted.py", "from router import client", "imports between rooms"),
        ("router/limits/__init__.py", "from router import errors", "imports between rooms"),
        ("router/newcomer/__init__.py", "", "imports between rooms"),
        ("router/policy/planted.py", "import asyncio", "event loops"),
        ("router/engine/planted.py", "import lmdb", "LMDB"),
        ("router/directory/planted.py", "import cryptography.x509", "cryptography"),
        ("router/server/planted.py", "import vanban_bench", "outside"),
    ],
)
def test_a_planted_import_is_noticed(copy: Path, module: str, line: str, contract: str) -> None:
    target = copy / module
    target.parent.mkdir(exist_ok=True)
    kept = target.read_text(encoding="utf-8") if target.exists() else '"""Planted."""\n'
    target.write_text(f"{kept}\n{line}\n", encoding="utf-8")
    ran = lint(copy)
    assert ran.returncode != 0, ran.stdout
    broken = [words for words in ran.stdout.splitlines() if " BROKEN" in words]
    assert any(contract in words for words in broken), ran.stdout


def test_the_contract_and_the_table_for_compiled_sources_are_the_same() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = next(
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["id"] == "rooms"
    )
    layers = [
        {f"router.{name.strip(' ()')}" for name in layer.replace("|", ":").split(":")}
        for layer in rooms["layers"]
    ]
    heights = sorted(set(HEIGHTS.values()), reverse=True)
    assert layers == [{n for n, height in HEIGHTS.items() if height == at} for at in heights]
