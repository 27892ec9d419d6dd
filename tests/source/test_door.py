"""The door names about a dozen things, and each of them is there."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest
from support.sources import ROOT

import router


def test_every_name_of_the_door_can_be_had() -> None:
    for name in router.__all__:
        assert getattr(router, name) is not None, name
    assert set(router.__all__) <= set(dir(router))
    assert 8 <= len(router.__all__) <= 14


def test_other_names_are_refused_as_python_refuses_them() -> None:
    with pytest.raises(AttributeError, match="Nobody"):
        router.Nobody  # noqa: B018


def test_the_version_is_the_one_of_the_distribution() -> None:
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert router.__version__ == declared["project"]["version"]


@pytest.mark.skipif(
    os.environ.get("VANBAN_INSTALLED") != "1",
    reason="only `make test` promises that the installed package is the one under test",
)
def test_the_installed_package_is_the_one_under_test() -> None:
    site = Path(sysconfig.get_path("platlib")).resolve()
    assert Path(router.__file__).resolve().is_relative_to(site)
    assert not Path(router.__file__).resolve().is_relative_to(ROOT / "router")
