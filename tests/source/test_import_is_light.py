"""`import router` costs an embedder nothing it did not ask for.

A portal that only wants the models must not load an event loop, a web server or the
cryptography library, and importing must open no file, socket or thread of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "aiohttp",
    "asyncio",
    "click",
    "cryptography",
    "httptools",
    "litestar",
    "lmdb",
    "rich",
    "socket",
    "ssl",
    "structlog",
    "uvicorn",
    "uvloop",
}
PROBE = """
import json, os, sys, threading
before = set(os.listdir("/proc/self/fd"))
{statement}
after = set(os.listdir("/proc/self/fd"))
print(json.dumps({{
    "modules": sorted({{name.split(".")[0] for name in sys.modules}}),
    "opened": len(after - before),
    "threads": threading.active_count(),
}}))
"""


def loaded_by(statement: str, folder: Path) -> dict[str, object]:
    """Run one statement in a fresh interpreter, in an empty folder; return what it left."""
    ran = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("COV")},
    )
    answer: dict[str, object] = json.loads(ran.stdout)
    return answer


def heavy(answer: dict[str, object]) -> set[str]:
    modules = answer["modules"]
    assert isinstance(modules, list)
    return HEAVY & set(modules)


def test_import_router_loads_no_loop_no_server_no_cryptography(tmp_path: Path) -> None:
    answer = loaded_by("import router", tmp_path)
    assert heavy(answer) == set()
    assert answer["opened"] == 0
    assert answer["threads"] == 1
    assert list(tmp_path.iterdir()) == []


def test_models_and_errors_load_no_loop_no_server_no_cryptography(tmp_path: Path) -> None:
    statement = "import router; router.Receipt, router.Envelope, router.Unit, router.VanbanError"
    assert heavy(loaded_by(statement, tmp_path)) == set()


def test_a_heavy_import_is_noticed(tmp_path: Path) -> None:
    assert "asyncio" in heavy(loaded_by("import router, asyncio", tmp_path))
    assert loaded_by("import router; kept = open('/dev/null')", tmp_path)["opened"] == 1
