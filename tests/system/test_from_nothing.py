"""A fresh tree and Debian's own Python are enough: `make install` builds, installs and runs.

What works on a developer's machine with its tools switched on says little about a
province's server; so the tree is copied, the environment emptied, and the commands of the
README typed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.sources import ROOT, kept_files

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

DEBIAN_PYTHON = Path("/usr/bin/python3")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is kept in this tree, without anything built."""
    folder = tmp_path_factory.mktemp("fresh") / "vanban-router"
    for path in kept_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


def test_make_install_works_from_nothing(tree: Path) -> None:
    if not DEBIAN_PYTHON.exists():
        pytest.skip("there is no /usr/bin/python3")
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
    environment = kept | {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tree.parent)}
    ran = subprocess.run(
        ["make", "install", f"PYTHON={DEBIAN_PYTHON}"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    command = tree / ".venv" / "bin" / "vanban"
    shown = subprocess.run([command, "--help"], env=environment, capture_output=True, check=False)
    assert shown.returncode == 0, shown.stderr.decode()
    assert b"serve" in shown.stdout
    again = subprocess.run(
        ["make", "install", f"PYTHON={DEBIAN_PYTHON}"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Building" not in again.stdout, "a second make builds nothing"
