"""Run one target under atheris: `PYTHONPATH=tests python -P -m fuzz TARGET FOLDER [-runs=N …]`.

FOLDER keeps the inputs that reached something new, and those that failed; what follows goes to
libFuzzer as it is.  `make fuzz` runs all targets.  The address space of the process is bounded,
so that an input which makes the router hoard memory fails like any other; one that takes longer
than ten seconds fails too.
"""

from __future__ import annotations

import hashlib
import resource
import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(
    include=["router", "asn1crypto", "pyhanko_certvalidator", "base64", "json"]
):
    from fuzz.targets import TARGETS

ADDRESS_SPACE_BYTES_MAX: Final = 3 << 30
OPTIONS: Final = ("-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1")


def main(arguments: list[str]) -> int:
    """Fuzz until libFuzzer ends the process; 2 when the target is not known."""
    if len(arguments) < 2 or arguments[0] not in TARGETS:
        print(f"usage: python -P -m fuzz {{{'|'.join(TARGETS)}}} FOLDER [-runs=N ...]")
        return 2
    target = TARGETS[arguments[0]]
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        assert len(seed) <= target.bytes_max, "a seed longer than any input is cut"
        target.run(seed)
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))
    options = [*OPTIONS, f"-max_len={target.bytes_max}", f"-artifact_prefix={folder}/failed-"]
    atheris.Setup([sys.argv[0], *options, *arguments[2:], str(folder)], target.run)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
