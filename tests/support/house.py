"""A sample data directory in a scratch folder, and commands run there as one of its units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from support.commands import Answer, vanban

KEY = re.compile(r"\bkey ([0-9a-f]{32})\b")


@dataclass
class House:
    """A scratch folder with a sample data directory, and a daemon's address."""

    home: Path
    url: str = "http://127.0.0.1:1"

    def run(self, *arguments: str, unit: str = "", **settings: str) -> Answer:
        """Run a command, with a unit's token when one is named."""
        if unit:
            name = f"data/sample/{unit}.token" if unit != "operator" else "data/operator.token"
            settings["VANBAN__CLIENT__TOKEN_FILE"] = name
        return vanban(*arguments, cwd=self.home, VANBAN__CLIENT__URL=self.url, **settings)

    def secrets(self) -> list[str]:
        files = [*self.home.glob("data/sample/*.token"), self.home / "data" / "operator.token"]
        return [file.read_text().strip() for file in files]


def made(home: Path) -> House:
    answer = vanban("init", "--data", "data", "--sample", cwd=home)
    assert answer.status == 0, answer
    return House(home)
