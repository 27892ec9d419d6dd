"""What the law says of a sender, whatever the rules are."""

import pytest

from router.errors import InputError
from router.policy import Standing, refuse_sender, refuse_signers


def code_of(refusal: InputError | None) -> str:
    return refusal.code if refusal is not None else ""


def test_what_is_signed_is_signed_by_its_sender_and_the_unsigned_is_for_the_rules() -> None:
    assert code_of(refuse_signers("H22", signed=True, by_sender=False)) == "sender.mismatch"
    assert refuse_signers("H22", signed=True, by_sender=True) is None
    assert refuse_signers("H22", signed=False, by_sender=False) is None


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
