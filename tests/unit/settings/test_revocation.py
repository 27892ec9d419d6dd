"""Hosts that revocation data may be fetched from are named exactly, or the start is refused."""

from __future__ import annotations

import pytest

from router.errors import SettingsError
from router.limits import REVOCATION_HOSTS_MAX
from router.settings import RevocationSettings, Settings, checked, load_settings


def test_hosts_come_from_a_list_or_from_text_divided_by_commas() -> None:
    environment = {"VANBAN__REVOCATION__ALLOWED_HOSTS": "CRL.ca.example, ocsp.ca.example:8080,"}
    found = load_settings(None, environment).revocation.hosts
    assert found == {"crl.ca.example", "ocsp.ca.example:8080"}
    assert RevocationSettings(allowed_hosts=("a.example", "[::1]:80")).hosts == {
        "a.example", "[::1]:80",
    }  # fmt: skip
    assert load_settings().revocation.hosts == frozenset()


@pytest.mark.parametrize(
    "host",
    ["http://a.example", "a.example/", "a.example:x", "*.example", "a example", "u@a.example"],
)
def test_what_is_no_host_is_refused_with_what_to_write(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked(Settings(revocation=RevocationSettings(allowed_hosts=(host,))))
    assert caught.value.path == "revocation.allowed_hosts"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"grace_s": -1}, "revocation.grace_s"),
        ({"refresh_s": 1}, "revocation.refresh_s"),
        ({"timeout_s": 0}, "revocation.timeout_s"),
        ({"addresses": {"ab": ("http://a/",)}}, "revocation.addresses"),
        ({"addresses": {"a" * 64: ("ftp://a/",)}}, f"revocation.addresses.{'a' * 64}"),
        (
            {"allowed_hosts": tuple(f"h{number}" for number in range(REVOCATION_HOSTS_MAX + 1))},
            "revocation.allowed_hosts",
        ),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, object], path: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked(Settings(revocation=RevocationSettings(**changes)))  # type: ignore[arg-type]
    assert caught.value.path == path
