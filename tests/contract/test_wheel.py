"""The wheel carries what an installation needs, and no sources of the compiled core.

Generated C files would triple its size and drift from the .pyx; a missing py.typed or stub
would silently untype every user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.sources import ROOT, kept_files

pytestmark = pytest.mark.slow

DATA = ROOT / "bench" / "data"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of the wheel that `make test` installed; built here when there is none."""
    given = os.environ.get("VANBAN_WHEEL")
    wheel = Path(given) if given else build(tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def build(folder: Path) -> Path:
    tree = folder / "tree"
    for path in kept_files():
        target = tree / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", folder, tree], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_it_holds_no_sources_of_the_core_and_no_tests(names: list[str]) -> None:
    assert [name for name in names if name.endswith((".c", ".pyx", ".cpp"))] == []
    assert [name for name in names if name.startswith(("tests/", "bench/", "bindings/"))] == []


def test_it_holds_every_python_module(names: list[str]) -> None:
    places = {
        "router": "router",
        "bench": "vanban_bench",
        "bindings/vanban_client": "vanban_client",
    }
    wanted = {
        f"{package}/{path.relative_to(ROOT / folder)}"
        for folder, package in places.items()
        for path in kept_files()
        if path.suffix in {".py", ".pyi"} and path.is_relative_to(ROOT / folder)
    }
    assert sorted(wanted - set(names)) == []
    installed = {name for name in names if name.endswith((".py", ".pyi"))}
    assert sorted(installed - wanted) == []


def test_it_is_typed(names: list[str]) -> None:
    for package in ("router", "vanban_bench", "vanban_client"):
        assert f"{package}/py.typed" in names


def test_each_compiled_module_comes_with_its_stub(names: list[str]) -> None:
    compiled = sorted(
        str(path.relative_to(ROOT).with_suffix(""))
        for path in kept_files()
        if path.suffix == ".pyx" and path.is_relative_to(ROOT / "router")
    )
    assert "router/_core" in compiled
    for module in compiled:
        assert f"{module}.pyi" in names
        assert any(name.startswith(f"{module}.") and name.endswith(".so") for name in names)


def test_it_holds_the_data_with_its_licences(names: list[str]) -> None:
    wanted = [
        f"vanban_bench/data/{path.relative_to(DATA)}"
        for path in kept_files()
        if path.is_relative_to(DATA)
    ]
    assert any("LICENSE" in name for name in wanted)
    assert sorted(set(wanted) - set(names)) == []
    assert any(name.endswith("/licenses/LICENSE") for name in names)
