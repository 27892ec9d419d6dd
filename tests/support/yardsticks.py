"""Measures functions and modules against the yardsticks of the house."""

from __future__ import annotations

import ast
from pathlib import Path

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500


def offences(name: str, text: str) -> list[str]:
    """Return what in the source `text` of the file `name` is longer than its yardstick."""
    found = []
    lines = text.count("\n")
    if lines > MODULE_LINES_MAX:
        found.append(f"{name}: {lines} lines, at most {MODULE_LINES_MAX}")
    functions = _compiled if name.endswith((".pyx", ".pxd")) else _interpreted
    found += [
        f"{name}: {function} has {length} lines, at most {FUNCTION_LINES_MAX}"
        for function, length in functions(text)
        if length > FUNCTION_LINES_MAX
    ]
    return found


def offences_of(path: Path, root: Path) -> list[str]:
    """Return the offences of one file."""
    return offences(str(path.relative_to(root)), path.read_text(encoding="utf-8"))


def _interpreted(text: str) -> list[tuple[str, int]]:
    """Return (name, lines) of every Python function; its docstring does not count."""
    return [
        (node.name, (node.end_lineno or 0) - _first_line(node) + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        return node.body[1].lineno
    return node.lineno


def _compiled(text: str) -> list[tuple[str, int]]:
    """Return (head, lines) of every function of a Cython source, by its indentation.

    A function begins at a `def` or `cdef …(…)…:` and ends before the next line that is not
    indented deeper; brackets may carry its head over several lines.
    """
    lines = text.splitlines()
    found = []
    for start, line in enumerate(lines):
        head = line.strip()
        if not head.startswith(("def ", "cdef ", "cpdef ", "async def ")):
            continue
        if head.startswith("cdef class "):
            continue
        head_end = _head_end(lines, start)
        if head_end is None:
            continue
        depth = len(line) - len(line.lstrip())
        stop = head_end + 1
        for number in range(head_end + 1, len(lines)):
            text_here = lines[number].strip()
            if text_here and len(lines[number]) - len(lines[number].lstrip()) <= depth:
                break
            if text_here:
                stop = number + 1
        found.append((line.strip(), stop - start))
    return found


def _head_end(lines: list[str], start: int) -> int | None:
    """Return the line on which a function's head ends, or None when it is no function."""
    open_brackets = 0
    seen_bracket = False
    for number in range(start, min(start + 40, len(lines))):
        code = lines[number].split("#", 1)[0]
        open_brackets += code.count("(") - code.count(")")
        seen_bracket = seen_bracket or "(" in code
        if open_brackets <= 0:
            return number if seen_bracket and code.rstrip().endswith(":") else None
    return None
