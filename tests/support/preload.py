"""Builds the library that records and spoils a process's file calls (shim/), and preloads it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

SOURCES = Path(__file__).parent / "shim"


def built(folder: Path) -> Path:
    """Compile the library into `folder` with the C compiler Python was made with, or gcc."""
    library = folder / "shim.so"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc").split()[0]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    subprocess.run(
        [compiler, *flags, "-o", str(library), *sources, "-ldl", "-lpthread"], check=True
    )
    return library


def environment(
    library: Path,
    root: Path,
    *,
    record: Path | None = None,
    control: Path | None = None,
    lies: str = "",
) -> dict[str, str]:
    """Return the environment of a process whose files below `root` are watched.

    `record`: where to append what it does; `control`: see `support.faulty`; `lies`: flushes
    that do nothing (of ``fdatasync,fsync,dsync``).
    """
    settings = {"LD_PRELOAD": str(library), "VANBAN_SHIM_ROOT": str(root.resolve())}
    if record is not None:
        settings["VANBAN_SHIM_LOG"] = str(record)
    if control is not None:
        settings["VANBAN_SHIM_CONTROL"] = str(control)
    if lies:
        settings["VANBAN_SHIM_LIES"] = lies
    return {**os.environ, **settings}
