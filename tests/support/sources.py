"""Finds the sources of this tree, for the tests that read code instead of running it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("router", "bench", "bindings")


def kept_files(root: Path = ROOT) -> list[Path]:
    """Return every file kept in the tree: what git knows or would take, else all but builds."""
    asked = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    if asked.returncode == 0 and asked.stdout:
        found = [root / name for name in asked.stdout.decode().split("\0") if name]
    else:
        found = [path for path in root.rglob("*") if not _is_built(path.relative_to(root))]
    return sorted(path for path in found if path.is_file())


def _is_built(path: Path) -> bool:
    """Say whether a path inside the tree is a product of the tools (see .gitignore)."""
    built = {".venv", "build", "dist", "__pycache__", ".git"}
    caches = (".egg-info", "_cache", ".so", ".pyc")
    return any(part in built or part.endswith(caches) for part in path.parts)


def source_files(*suffixes: str, root: Path = ROOT) -> list[Path]:
    """Return the sources of the product (router, bench, bindings) with these suffixes."""
    return [
        path
        for path in kept_files(root)
        if path.suffix in suffixes and path.relative_to(root).parts[0] in SOURCE_FOLDERS
    ]


def module_name(path: Path, root: Path = ROOT) -> str:
    """Return the dotted name of a source below `root`, such as `router.model.units`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) of a text file; nothing for a file that is no text."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), start=1)
