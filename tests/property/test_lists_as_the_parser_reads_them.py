"""A list of codes read without the parser means what the parser makes of it, or is left to it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.units import NOW, directory_of, unit

from router._core import Audience
from router.directory import Directory, Snapshot
from router.errors import InputError, VanbanError
from router.model.reorganisations import Changing, Closing, Correction, Fix, Reorganisation
from router.model.units import Unit
from router.selectors import compile_selector, parse
from router.selectors.nodes import RESERVED

DAYS = 12
LANGUAGE = tuple(sorted(word.upper() for word in RESERVED))
CODES = (
    *LANGUAGE,
    "H1", "H2", "H1.2", "H1.2.3", "000.00.02.H01", "GSO:01", "GSO:00688", "EDOC:A", "EDOC:B.1",
    "EDOC:A-1", "EDOC:Đ",
)  # fmt: skip
ODD_WORDS = ("H9", "H1..2", ".H1", ":", "A" * 99, "", '"H1"', '"EDOC:A-1"', "children(H1)")
ODD_BLANKS = ("\t", "\n", "\r\n", "\v", "\f", "\u00a0", "\u2003", "\x1c", "\x85")
ODD_SIGNS = ("||", "&", "-", "(", ")", ",", "@", "")


def mostly(usual: st.SearchStrategy[str], odd: Sequence[str]) -> st.SearchStrategy[str]:
    """Draw what is usual, and once in a while what is not."""
    return st.integers(0, 15).flatmap(lambda die: usual if die else st.sampled_from(odd))


SPECIAL = ("EDOC:A-1", "EDOC:Đ")
"""Codes that need quotation marks, or more than ASCII: the parser's."""

codes = st.sampled_from(CODES)
days = st.integers(0, DAYS)
numbers = st.integers(1, 8)
bearing = st.fixed_dictionaries({}, optional={"code": codes, "aliases": st.tuples(codes)})


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Codes joined by what joins them and what does not, with all kinds of blanks."""
    sign, blank = mostly(st.just("|"), ODD_SIGNS), mostly(st.sampled_from(("", " ")), ODD_BLANKS)
    word = mostly(st.sampled_from((*CODES, *map(str.lower, CODES))), ODD_WORDS)
    parts = []
    for place in range(draw(st.integers(1, 3))):
        parts += [draw(sign)] if place else []
        parts += draw(st.tuples(blank, word, blank))
    return "".join(parts)


@st.composite
def country(draw: st.DrawFn) -> list[Unit]:
    """A few units that take codes from one small stock, at different times."""
    return [
        Unit(
            number=number, code=draw(codes), name=f"Đơn vị {number}", tier=1, kind="office",
            parent=None, aliases=draw(st.lists(codes, max_size=2).map(tuple)),
            valid_from=draw(st.sampled_from([0, 0, 0, 3])),
            valid_to=draw(st.sampled_from([None, None, None, DAYS // 2])),
        )
        for number in range(1, draw(st.integers(2, 8)) + 1)
    ]  # fmt: skip


changes = st.lists(
    st.one_of(
        st.builds(
            lambda at, unit, given: Reorganisation(at, "", (Changing(unit, **given),)),
            days, numbers, bearing,
        ),
        st.builds(lambda at, unit: Reorganisation(at, "", (Closing(unit),)), days, numbers),
        st.builds(
            lambda unit, since, until, given: Correction(
                "", (), (Fix(unit, since=since, until=until, **given),)
            ),
            numbers, days, days, bearing,
        ),
        st.builds(lambda unit, at: Correction("", (), (Fix(unit, opened_at=at),)), numbers, days),
        st.builds(lambda unit: Correction("", (), (Fix(unit, withdrawn=True),)), numbers),
    ),
    max_size=5,
)  # fmt: skip


def directory_of_what_may(units: Sequence[Unit], wanted: Sequence[object]) -> Directory:
    """Apply what the directory takes and leave out what it refuses."""
    directory = Directory()
    plans = [lambda one=one: directory.plan_import([one]) for one in units]
    plans += [lambda one=one: directory.plan(one) for one in wanted]
    for plan in plans:
        try:
            bodies = plan()
        except InputError:
            continue
        start = directory.sequence
        for part, body in enumerate(bodies, 1):
            directory.apply(body, start + part)
    return directory


def as_parsed(text: str, snapshot: Snapshot) -> Audience | None:
    """Return what the parser makes of a text; None when it refuses it."""
    try:
        compiled = compile_selector(parse(text), snapshot)
    except VanbanError:
        return None
    return snapshot.hierarchy.evaluate(compiled.program)


@settings(max_examples=150, deadline=None)
@given(country(), changes, st.lists(texts(), min_size=10, max_size=30))
def test_whatever_is_answered_from_the_text_is_what_the_parser_says(
    units: list[Unit], wanted: list[object], asked: list[str]
) -> None:
    directory = directory_of_what_may(units, wanted)
    assume(directory.sequence)
    for day in range(0, DAYS + 1, 4):
        for sequence in (directory.sequence, directory.sequence - 1):
            snapshot = directory.snapshot(day, sequence)
            for text, quick in zip(asked, snapshot.list_audiences(asked), strict=True):
                if quick is not None:
                    assert quick == as_parsed(text, snapshot), text


@settings(max_examples=150, deadline=None)
@given(country(), changes)
def test_a_code_is_looked_up_as_the_facts_say_and_alone_answered_from_the_text(
    units: list[Unit], wanted: list[object]
) -> None:
    directory = directory_of_what_may(units, wanted)
    for day in range(0, DAYS + 1, 3):
        snapshot = directory.snapshot(day)
        for code in CODES:
            bearer = directory.find(code, day)
            place = -1 if bearer is None else snapshot.hierarchy.position(bearer.number)
            try:
                found = snapshot.position_of(code)
            except VanbanError:
                found = -1
            assert found == place, code
            plain = place >= 0 and code not in (*LANGUAGE, *SPECIAL)
            assert (snapshot.list_audiences([code]) != [None]) == plain, code


def test_a_word_of_the_language_is_never_taken_for_the_unit_that_bears_it_as_a_code() -> None:
    units = [unit(number, code, 1) for number, code in enumerate((*LANGUAGE, "H1"), 1)]
    snapshot = directory_of(units).snapshot(NOW)
    for word in LANGUAGE:
        asked = [word, word.lower(), f"H1|{word}"]
        assert snapshot.list_audiences(asked) == [None, None, None], word
    assert snapshot.list_audiences(["H1"]) == [as_parsed("H1", snapshot)]
