"""The floor: who may submit, what must be signed, which lane follows from the urgency."""

import pytest

from router._core import Audience
from router.errors import InputError
from router.model.answers import Lane
from router.model.documents import Urgency
from router.policy import Policy, Question, Standing, decide_batch, refuse_sender

NOBODY = Audience.from_bytes(b"")


def question(**changes: object) -> Question:
    values: dict[str, object] = {
        "sender": "H22",
        "urgency": Urgency.NORMAL,
        "signatures": 1,
        "signed_by_sender": True,
        "addressed": NOBODY,
    }
    return Question(**(values | changes))  # type: ignore[arg-type]


def code_of(refusal: InputError | None) -> str:
    return refusal.code if refusal is not None else ""


@pytest.mark.parametrize(
    ("urgency", "lane"),
    [
        (Urgency.FLASH, Lane.FLASH),
        (Urgency.VERY_URGENT, Lane.VERY_URGENT),
        (Urgency.URGENT, Lane.URGENT),
        (Urgency.NORMAL, Lane.NORMAL),
    ],
)
def test_the_lane_follows_the_urgency_as_signed(urgency: Urgency, lane: Lane) -> None:
    (decision,) = decide_batch([question(urgency=urgency)], Policy(version=7))
    assert decision.lane is lane
    assert decision.refusal is None
    assert decision.policy_version == 7
    assert "floor/lane" in decision.rules


def test_unsigned_and_foreign_signed_documents_are_refused_in_order() -> None:
    answers = decide_batch(
        [question(signatures=0), question(signed_by_sender=False), question()], Policy()
    )
    assert [code_of(one.refusal) for one in answers] == ["signature.missing", "sender.mismatch", ""]


@pytest.mark.parametrize(
    ("standing", "holds", "code"),
    [
        (Standing("H22", "open"), True, ""),
        (Standing("H22", "open"), False, "sender.mismatch"),
        (Standing("H99", "unknown"), True, "sender.unknown"),
        (Standing("H22", "closed", {"closed_at": "x", "successor": "H60"}), True, "sender.closed"),
        (Standing("H60", "not_yet_open", {"opens_at": "x"}), True, "sender.not_yet_open"),
    ],
)
def test_a_sender_must_be_open_and_the_submitter_answer_for_it(
    standing: Standing, holds: bool, code: str
) -> None:
    assert code_of(refuse_sender(standing, holder_submits=holds)) == code
