"""No file names a machine it was written on, or a package registry.

A path or host that exists on one machine only breaks every other one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.sources import ROOT, kept_files, numbered_lines

# Spelled in pieces, so that this file does not find itself.
FORBIDDEN = re.compile(
    "|".join(
        [
            "/" + r"(?:work|farm|root|home/[a-z]\w*)/",
            "/" + r"opt/(?:pypi|wheels)",
            "/" + r"tmp/[a-z0-9_.-]+/",
            r"pypi\." + "org",
            r"python" + r"hosted\.org",
            r"registry\." + "npmjs",
            r"deb\." + r"debian\.org",
            r"\.pyenv" + "/",
        ]
    ),
    re.IGNORECASE,
)
BYTES_MAX = 400_000


def machine_words(path: Path, root: Path = ROOT) -> list[str]:
    if path.stat().st_size > BYTES_MAX:
        return []
    return [
        f"{path.relative_to(root)}:{number}: {match.group()}"
        for number, line in numbered_lines(path)
        if (match := FORBIDDEN.search(line))
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = kept_files()
    assert files
    assert [words for path in files for words in machine_words(path)] == []


@pytest.mark.parametrize(
    "line",
    ["see /" + "work/x", "https://pypi" + ".org/simple", "/" + "tmp/abc/def", "/" + "root/x"],
)
def test_a_machine_word_is_noticed(tmp_path: Path, line: str) -> None:
    planted = tmp_path / "planted.md"
    planted.write_text(f"fine\n{line}\n", encoding="utf-8")
    assert len(machine_words(planted, tmp_path)) == 1
