"""Suites of micro benchmarks: each module here is one suite of the same name.

A suite has `cases(tiny) -> list[Case]`, or `rows(tiny, rounds) -> Iterator[Row]` where a
row is no plain timing of two calls.  `vanban_bench.run` finds them by this folder; every
suite also runs tiny in the tests, so it can neither rot nor time the wrong thing.
"""
