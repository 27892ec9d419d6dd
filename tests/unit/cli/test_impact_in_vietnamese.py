"""Every line of a policy's impact is told in Vietnamese to who reads Vietnamese."""

from __future__ import annotations

from itertools import product

import pytest

from router.cli.policy_show import print_impact
from router.model.answers import Lane
from router.model.decisions import Refused
from router.model.policies import PolicyImpact

ENGLISH = (
    "was", "allowed", "held", "excluded", "added", "accepted", "refused", "recipient", "lane",
    "another", "urgent", "normal", "flash", "left", "commune", "forbidden", "unsigned",
)  # fmt: skip
STATES = ("allowed", "held", "excluded", "not a recipient")


def _lines() -> list[str]:
    """Return what `router.engine.policy_impact` can write."""
    whys = [one.name.lower().replace("_", " ") for one in Refused if one is not Refused.NO]
    fates = ["accepted", *(f"refused ({why})" for why in whys)]
    lanes = [one.name.lower() for one in Lane]
    settings = ("deadline", "send by", "retention years", "information only")
    return [
        *(f"{now}, was {was}" for now, was in product(STATES, repeat=2)),
        *(f"{now}, was {was} (commune x)" for now, was in product(STATES[:3], repeat=2)),
        *(f"{now}, was {was}" for now, was in product(fates, repeat=2)),
        *(f"lane {now}, was {was}" for now, was in product(lanes, repeat=2)),
        "not a recipient, was added",
        *(f"another {name}" for name in settings),
    ]


@pytest.mark.parametrize("line", _lines())
def test_no_english_word_stays(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VANBAN_LANG", "vi")
    print_impact(PolicyImpact(1, 1, 0, 0, ((line, 1, ""),)))
    said = capsys.readouterr().out
    words = said.replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert not set(words) & set(ENGLISH), said
    assert ("xã x" in said) == ("(commune x)" in line)
