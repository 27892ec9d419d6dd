"""The exception tree, with stable codes.

Classes follow what the caller can do next; the `code` says exactly what was wrong and
never changes meaning.  `router/messages/` holds the words for each code in English and
Vietnamese.  No error carries document content, keys or tokens: facts are short names
(a code, a field, a limit), cut at `FACT_CHARS_MAX`.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from router.limits import FACT_CHARS_MAX

Fact = str | int


class VanbanError(Exception):
    """Base of everything this package raises on purpose.

    Attributes: `code` (stable), `path` (JSON path or field of the mistake, may be empty),
    `facts` (small values that fill the message), `status` (HTTP status of this class).
    """

    status: ClassVar[int] = 500

    def __init__(self, code: str, /, *, path: str = "", **facts: Fact) -> None:
        self.code = code
        self.path = path
        self.facts: dict[str, Fact] = {name: _short(value) for name, value in facts.items()}
        super().__init__(code, path, self.facts)

    def __str__(self) -> str:
        place = f" at {self.path}" if self.path else ""
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.code}{place}" + (f" ({facts})" if facts else "")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.path, self.facts))


class InputError(VanbanError):
    """What was sent is wrong; mend it and send again.  Repeating as is cannot help."""

    status = 422


class MalformedError(InputError):
    """The bytes are not of the shape asked for (JSON, fields, content type)."""

    status = 400


class TooLargeError(InputError):
    """A bound of `router.limits` is exceeded."""

    status = 413


class SheetProblem(NamedTuple):
    """One mistake (or doubt) in a list of units.

    `row` is the line as a spreadsheet numbers it, from 1 (0: the list as a whole);
    `column` the heading as the list spells it, or ""; `code` has its words in
    `router.messages`; `reason` is the value or the detail they quote.
    """

    row: int
    column: str
    code: str
    reason: str


class SheetError(InputError):
    """A list of units is wrong in the places of `problems`; nothing of it is taken."""

    def __init__(self, code: str, /, *, problems: tuple[SheetProblem, ...], path: str = "") -> None:
        self.problems = tuple(
            problem._replace(reason=str(_short(problem.reason))) for problem in problems
        )
        first = self.problems[0] if problems else SheetProblem(0, "", code, "")
        super().__init__(
            code, path=path, count=len(problems),
            row=first.row, column=first.column, reason=first.reason,
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_sheet, (self.code, self.problems, self.path))


class PolicyProblem(NamedTuple):
    """One mistake or doubt in a policy file.

    `line` counts from 1 (0: the file as a whole), `path` is the key path, `suggestion` what
    may be meant; `code` has its words in `router.messages`, filled from `facts`.
    """

    severity: str
    code: str
    line: int
    path: str
    rule: str = ""
    suggestion: str = ""
    facts: tuple[tuple[str, str | int], ...] = ()


class RecipientError(InputError):
    """The selector is wrong, names an unknown or closed unit, or selects nobody."""


class SignatureRefusedError(InputError):
    """A signature, a certificate or its binding to the sender is not good."""


class PolicyRefusedError(InputError):
    """The sending policy (the law's floor) refuses the document."""


class PolicyError(InputError):
    """A policy file is wrong, or its tests fail; the running policy stays.

    `problems` has every mistake found: (severity, code, line, key path, suggestion).
    """

    def __init__(
        self, code: str, /, *, problems: tuple[PolicyProblem, ...] = (), path: str = "",
        **facts: Fact,
    ) -> None:  # fmt: skip
        self.problems = problems
        super().__init__(code, path=path, **facts)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_policy, (self.code, self.problems, self.path, self.facts))


class CalendarError(VanbanError):
    """The working calendar has no data for a year; an operator must bring them."""

    status = 503


class ConflictError(VanbanError):
    """What is there stands against it.

    The id or idempotency key is taken by a document with other content; or what a person
    confirmed is no longer what would be written.
    """

    status = 409


class NotFoundError(VanbanError):
    """No such thing, or it is not yours to see (the two are not told apart)."""

    status = 404


class AuthenticationError(VanbanError):
    """Token missing, unknown, revoked or run out."""

    status = 401


class ForbiddenError(VanbanError):
    """Known, but not allowed to do this for that unit."""

    status = 403


class OverloadedError(VanbanError):
    """Try again later; `retry_after_s` among the facts says when.  Nothing was stored."""

    status = 503


class TooManyOpenError(OverloadedError):
    """A sender, a recipient or a reader has too much open at once; others are served.

    Try again once some of it is done with: waiting alone does not help.  Nothing was stored.
    """

    status = 429


class StorageError(VanbanError):
    """The data directory can't be opened or a write failed; an operator must act."""

    status = 503


class OwnerError(StorageError):
    """The process that owns the data directory is absent, gone, silent, or not to be believed.

    Of a write that was under way it is not known whether it was stored; the code says which
    errors leave nothing.  Documents may be sent again: what was stored answers `repeated`.
    """


class SigningError(VanbanError):
    """A key can't be used: its file, token, driver or PIN; who sits there must act.

    Nothing was signed.  No error of this kind carries a PIN or a password.
    """

    status = 503


class SettingsError(VanbanError):
    """The configuration is wrong; the path names the setting."""


class ClosedError(VanbanError):
    """The engine or client was closed before the call."""

    status = 503


def _short(value: Fact) -> Fact:
    if isinstance(value, str) and len(value) > FACT_CHARS_MAX:
        return value[: FACT_CHARS_MAX - 1] + "…"
    return value


def _rebuild(kind: type[VanbanError], code: str, path: str, facts: dict[str, Fact]) -> VanbanError:
    return kind(code, path=path, **facts)


def _rebuild_sheet(code: str, problems: tuple[SheetProblem, ...], path: str) -> SheetError:
    return SheetError(code, problems=problems, path=path)


def _rebuild_policy(
    code: str, problems: tuple[PolicyProblem, ...], path: str, facts: dict[str, Fact]
) -> VanbanError:
    return PolicyError(code, problems=problems, path=path, **facts)
