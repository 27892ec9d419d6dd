"""A function fits a screen and a module has one subject: 60 and 500 lines at most.

Past either, split along a seam you can name.
"""

from __future__ import annotations

from support.sources import ROOT, source_files
from support.yardsticks import offences, offences_of


def test_no_function_and_no_module_is_longer_than_its_yardstick() -> None:
    files = source_files(".py", ".pyx", ".pxd")
    assert files, "the sources were not found"
    assert [offence for path in files for offence in offences_of(path, ROOT)] == []


def test_a_long_module_is_noticed() -> None:
    assert offences("router/a.py", "x = 1\n" * 500) == []
    assert len(offences("router/a.py", "x = 1\n" * 501)) == 1


def test_a_long_python_function_is_noticed_and_its_docstring_does_not_count() -> None:
    body = "    x = 1\n" * 60
    assert offences("router/a.py", "def f():\n" + body) != []
    assert offences("router/a.py", 'def f():\n    """Words."""\n' + body) == []
    assert offences("router/a.py", "class C:\n    async def f(self):\n" + "        x = 1\n" * 60)


def test_a_long_compiled_function_is_noticed() -> None:
    body = "    x = 1\n" * 60
    assert offences("router/a.pyx", "cdef int f(int x) except -1 nogil:\n" + body) != []
    assert offences("router/a.pyx", "cdef int f(\n    int x,\n) noexcept:\n" + body) != []
    assert offences("router/a.pyx", "def f(x):  # words\n" + "    x = 1\n" * 59) == []
    assert offences("router/a.pyx", "cdef int x = f(1)\n" + "cdef int y\n" * 70) == []


def test_a_compiled_class_is_no_function_but_its_methods_are() -> None:
    method = "    def f(self):\n" + "        x = 1\n" * 40
    assert offences("router/a.pyx", "cdef class C(B):\n" + method * 2) == []
    assert offences("router/a.pyx", "cdef class C(B):\n" + method + "        x = 1\n" * 30) != []
