"""Finds the error codes a source raises, by reading it."""

from __future__ import annotations

import ast
import inspect
import re

from router import errors

ERROR_CLASSES = {
    name
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.VanbanError)
}
_CODE = re.compile(r"[a-z_]+\.[a-z0-9_]+")
# In compiled sources a call is found by its text.
_CYTHON_CALL = re.compile(r"\b(\w+Error)\(\s*[\"']([a-z_]+\.[a-z0-9_]+)[\"']")


def raised_codes(text: str) -> set[str]:
    """Return each code given as a literal to an error class in a Python source.

    A conditional expression counts with both its branches.
    """
    return {
        code
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and node.args and _called(node) in ERROR_CLASSES
        for code in _literals(node.args[0])
    }


def raised_codes_of_cython(text: str) -> set[str]:
    """Return each code given as a literal to an error class in a Cython source."""
    return {code for name, code in _CYTHON_CALL.findall(text) if name in ERROR_CLASSES}


def quoted_codes(text: str) -> set[str]:
    """Return every text literal of a Python source that has the form of a code."""
    return {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _CODE.fullmatch(node.value)
    }


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _literals(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return _literals(node.body) | _literals(node.orelse)
    return set()
