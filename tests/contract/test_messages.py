"""Every error code has its words, in both languages, and every row of words has its code.

A clerk who is refused must be told what was wrong and what to do; a row nobody raises is a
promise nobody keeps.
"""

from __future__ import annotations

import string

import pytest
from support.error_codes import (
    ERROR_CLASSES,
    quoted_codes,
    raised_codes,
    raised_codes_of_cython,
)
from support.sources import ROOT, source_files

from router import errors, messages
from router.messages import (
    documents,
    lists,
    operation,
    policies,
    recipients,
    revocation,
    signing,
    trust,
)

MESSAGES = ROOT / "router" / "messages"
PYTHON = [
    path
    for path in source_files(".py")
    if path.is_relative_to(ROOT / "router") and not path.is_relative_to(MESSAGES)
]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def inconsistent(row: messages.Words) -> set[str]:
    """The fields that only one language names, in the message or in the remedy."""
    return (fields(row.en) ^ fields(row.vi)) | (fields(row.remedy_en) ^ fields(row.remedy_vi))


def test_every_code_raised_has_its_words() -> None:
    found = {path.name: raised_codes(path.read_text(encoding="utf-8")) for path in PYTHON}
    found |= {
        path.name: raised_codes_of_cython(path.read_text(encoding="utf-8"))
        for path in source_files(".pyx")
    }
    wordless = {name: sorted(codes - set(messages.TABLE)) for name, codes in found.items()}
    assert {name: codes for name, codes in wordless.items() if codes} == {}
    assert set().union(*found.values()), "no source raises anything: the reader is broken"


def test_every_row_of_words_has_its_code_somewhere() -> None:
    used = set().union(*(quoted_codes(path.read_text(encoding="utf-8")) for path in PYTHON))
    for path in source_files(".pyx"):
        used |= raised_codes_of_cython(path.read_text(encoding="utf-8"))
    assert sorted(set(messages.TABLE) - used) == []


@pytest.mark.parametrize("code", sorted(messages.TABLE))
def test_a_row_says_the_same_in_both_languages(code: str) -> None:
    row = messages.TABLE[code]
    assert all(row), "a message and a remedy in both languages"
    assert inconsistent(row) == set()


def test_no_two_tables_give_words_for_one_code() -> None:
    parts = [
        value
        for module in (
            documents,
            recipients,
            revocation,
            lists,
            operation,
            policies,
            signing,
            trust,
        )
        for name, value in vars(module).items()
        if isinstance(value, dict) and name.isupper()
    ]
    assert sum(map(len, parts)) == len(messages.TABLE)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_words_are_made_even_when_a_fact_is_missing(language: str) -> None:
    for code in messages.TABLE:
        problem = messages.problem_of(errors.InputError(code, path="x"), language)
        assert problem.code == code
        assert problem.detail
        assert problem.remedy
        assert "{" not in problem.detail + problem.remedy


def test_a_wordless_code_is_noticed() -> None:
    text = (
        "raise InputError('made.up', path='x')\n"
        "raise errors.StorageError('one.a' if x else 'one.b')\n"
        "raise ValueError('not.ours')\n"
    )
    assert raised_codes(text) == {"made.up", "one.a", "one.b"}
    assert raised_codes_of_cython('raise InputError(\n  "made.up")') == {"made.up"}
    assert "InputError" in ERROR_CLASSES


def test_a_field_that_one_language_misses_is_noticed() -> None:
    row = messages.Words("No {a}.", "Không.", "Do {b}.", "Làm {b}.")
    assert inconsistent(row) == {"a"}
