"""Mistakes and doubts of a policy file: collected with their places, told in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from router import messages
from router.errors import Fact, InputError, PolicyError, PolicyProblem
from router.limits import POLICY_PROBLEMS_MAX
from router.model.policies import Finding
from router.policy.lines import Key, LineMap, Path, path_text

ERROR: Final = "error"
WARNING: Final = "warning"
_PATH_CHARS_MAX: Final = 400


class Problems:
    """What is wrong with one policy file; at most POLICY_PROBLEMS_MAX errors and as many warnings.

    Lines are looked up at the end: a file without a mistake is not scanned for them.
    """

    def __init__(self) -> None:
        self._found: list[tuple[Path, PolicyProblem]] = []
        self._counts = {ERROR: 0, WARNING: 0}

    @property
    def full(self) -> bool:
        """Whether no further error is taken: looking for more is vain."""
        return self._counts[ERROR] >= POLICY_PROBLEMS_MAX

    @property
    def full_of_warnings(self) -> bool:
        """Whether no further warning is taken."""
        return self._counts[WARNING] >= POLICY_PROBLEMS_MAX

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return self._counts[ERROR]

    def add(
        self, code: str, path: Sequence[Key], /, *, rule: str = "", suggestion: str = "",
        severity: str = ERROR, line: int = 0, **facts: Fact,
    ) -> None:  # fmt: skip
        """Take one problem, unless there are too many; `line` when it is known already."""
        if self._counts[severity] >= POLICY_PROBLEMS_MAX:
            return
        self._counts[severity] += 1
        told = tuple((key, _short(fact)) for key, fact in facts.items())
        shown = path_text(path)[:_PATH_CHARS_MAX]
        one = PolicyProblem(severity, code, line, shown, rule, suggestion, told)
        self._found.append((tuple(path), one))

    def placed(self, lines: LineMap | None) -> tuple[PolicyProblem, ...]:
        """Return all of them with their lines, in the order of the file, errors first."""
        if lines is not None:
            self._found = [
                (path, one if one.line else one._replace(line=lines.line(path)))
                for path, one in self._found
            ]
        found = [one for _, one in self._found]
        return tuple(sorted(found, key=lambda one: (one.severity, one.line)))

    def refuse(self, text: str) -> None:
        """Raise PolicyError with all of them, if there is any error."""
        if self.errors:
            raise error_of(self.placed(LineMap(text)))


def _short(fact: Fact) -> Fact:
    """Return a fact as it is kept: a text of the file may be as long as the file."""
    return fact[:_PATH_CHARS_MAX] if isinstance(fact, str) else fact


def error_of(problems: Sequence[PolicyProblem]) -> PolicyError:
    """Return the error that tells of problems; its code, place and facts are the first one's."""
    first = problems[0]
    facts: dict[str, Any] = {**dict(first.facts), "line": first.line}
    return PolicyError(first.code, problems=tuple(problems), path=first.path, **facts)


def findings_of(problems: Iterable[PolicyProblem]) -> tuple[Finding, ...]:
    """Return problems with their words in both languages (what is wrong, then what to do)."""
    return tuple(map(_finding, problems))


def _finding(one: PolicyProblem) -> Finding:
    facts: dict[str, Any] = dict(one.facts)
    error = InputError(one.code, **facts)
    words, words_vi = (" ".join(messages.say(error, language)) for language in ("en", "vi"))
    return Finding(
        one.severity, one.code, one.line, one.path, words, words_vi, one.rule, one.suggestion
    )
