"""Every path NIST made to break validators is judged as NIST says (PKITS, 247 cases).

Each case goes our whole way: the trust store holds the PKITS root and the case's CAs, the end
certificate is judged as a signer's, revocation is required of everyone.  No bad path may pass;
a good path that does not pass stands in `REFUSED`, with the reason.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.revocation_views import View

from router.errors import InputError, SignatureRefusedError
from router.model.instants import instant_of
from router.signatures import RevocationStore
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import read_certificate
from router.signatures.paths import PathVerdict, PolicyInputs, RevocationView, judge_path

FOLDER = Path(__file__).parents[1] / "vectors" / "pkits"
CASES = json.loads((FOLDER / "pkits.json").read_text("utf-8"))
AT_US = instant_of(datetime(2013, 5, 1, tzinfo=UTC))
ROOT = "TrustAnchorRootCertificate.crt"
ROOT_LIST = "TrustAnchorRootCRL.crl"

REFUSED = {
    "valid_dsa_signatures_test4": "DSA and SHA-1 are not taken",
    "valid_dsa_parameter_inheritance_test5": "DSA is not taken",
    "valid_pathlenconstraint_test8": "a CA does not sign documents",
    "valid_pathlenconstraint_test14": "a CA does not sign documents",
    "overlapping_policies_test6": "a CA does not sign documents",
    "overlapping_policies_test6_with_testpol1": "a CA does not sign documents",
    "valid_onlycontainscacerts_crl_test13": "a CA does not sign documents",
}
# Lists signed by another than the CA wait until who signed them is an authority here: no
# certificate of the sender's has a say in revocation.
WAITING_WHEN_SENT = frozenset(
    {
        "valid_separate_certificate_and_crl_keys_test19",
        "valid_basic_self_issued_new_with_old_test4",
        "valid_basic_self_issued_crl_signing_key_test6",
        "valid_idp_with_indirectcrl_test24",
        "valid_idp_with_indirectcrl_test25",
        "valid_crlissuer_test28",
        "valid_crlissuer_test29",
        "valid_crlissuer_test30",
        "valid_crlissuer_test33",
    }
)

# What the engine's own index of lists makes of two more.
REFUSED_WHEN_KEPT = {
    "valid_negative_serial_number_test14": "a list with a negative number is not taken",
    "valid_deltacrl_test5": "a hold that a delta list lifts is seen with the next full list",
}


def der(kind: str, name: str) -> bytes:
    return (FOLDER / kind / name).read_bytes()


def kept(names: Iterable[str], trust: TrustView) -> RevocationView:
    """The lists as the engine keeps them: judged when they come, answered from an index."""
    store = RevocationStore()
    for name in names:
        with contextlib.suppress(InputError):
            store.add(der("crls", name), trust, AT_US)
    return store.view


def judged(case: dict[str, Any], how: str) -> PathVerdict:
    """Judge a case: its CAs "stored" or "sent", or stored and its lists "kept" by the engine."""
    leaf = read_certificate(der("certs", case["cert"]))
    middle = [read_certificate(der("certs", name)) for name in case.get("other_certs", [])]
    known = [Authority(read_certificate(der("certs", ROOT)), "root")]
    if how != "sent":
        known += [Authority(one, "intermediate") for one in middle]
    trust = TrustView(known, 1)
    names = dict.fromkeys([*case.get("crls", []), ROOT_LIST])
    view: RevocationView = View(lists=tuple(der("crls", name) for name in names))
    if how == "kept":
        view = kept(names, trust)
    given = case.get("params", {})
    inputs = PolicyInputs(
        policies=frozenset(given.get("user_initial_policy_set", ())),
        explicit_policy=given.get("initial_explicit_policy", False),
        inhibit_mapping=given.get("initial_policy_mapping_inhibit", False),
        inhibit_any=given.get("initial_any_policy_inhibit", False),
    )
    others = middle if how == "sent" else ()
    return judge_path(leaf, others, trust, view, AT_US, inputs=inputs)


def outcome(case: dict[str, Any], how: str = "stored") -> str:
    """Return "valid", or why not."""
    try:
        verdict = judged(case, how)
    except SignatureRefusedError as error:  # a certificate that can't even be read
        return error.code
    return verdict.code or verdict.status


def test_all_cases_are_here() -> None:
    assert len(CASES) == 247
    assert sum("error" in case for case in CASES) == 137


@pytest.mark.parametrize("how", ["stored", "sent", "kept"])
def test_no_bad_path_passes(how: str) -> None:
    bad = [(case["name"], outcome(case, how)) for case in CASES if "error" in case]
    assert len(bad) == 137
    assert [name for name, found in bad if found == "valid"] == []
    # No case is refused only because its certificates could not be read.
    assert [name for name, found in bad if found == "certificate.malformed"] == [
        "invalid_unknown_critical_certificate_extension_test2"
    ]


def test_the_good_paths_pass_but_for_those_listed() -> None:
    outcomes = {case["name"]: outcome(case) for case in CASES if "error" not in case}
    assert {name for name, found in outcomes.items() if found != "valid"} == set(REFUSED)


def test_the_good_paths_pass_with_the_lists_the_engine_keeps() -> None:
    outcomes = {case["name"]: outcome(case, "kept") for case in CASES if "error" not in case}
    failed = {name for name, found in outcomes.items() if found != "valid"}
    assert failed == set(REFUSED) | set(REFUSED_WHEN_KEPT)


def test_the_good_paths_pass_when_the_sender_brings_the_authorities() -> None:
    outcomes = {case["name"]: outcome(case, "sent") for case in CASES if "error" not in case}
    assert {name for name, found in outcomes.items() if found == "indeterminate"} == (
        WAITING_WHEN_SENT
    )
    others = {name for name, found in outcomes.items() if found not in {"valid", "indeterminate"}}
    assert others == set(REFUSED)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("invalid_ca_signature_test2", "certificate.untrusted"),
        ("invalid_name_chaining_ee_test1", "certificate.untrusted"),
        ("invalid_ca_notbefore_date_test1", "certificate.not_yet_valid"),
        ("invalid_ca_notafter_date_test5", "certificate.expired"),
        ("invalid_revoked_ca_test2", "certificate.revoked"),
        ("invalid_revoked_ee_test3", "certificate.revoked"),
        ("missing_crl_test1", "indeterminate"),
        ("invalid_bad_crl_signature_test4", "indeterminate"),
        ("invalid_old_crl_nextupdate_test11", "indeterminate"),
        ("invalid_missing_basicconstraints_test1", "certificate.usage"),
        ("invalid_pathlenconstraint_test5", "certificate.constraints"),
        ("invalid_mapping_to_any_policy_test8", "certificate.constraints"),
        ("invalid_dn_nameconstraints_test2", "certificate.constraints"),
    ],
)
def test_a_bad_path_is_refused_by_its_own_code(name: str, code: str) -> None:
    (case,) = [case for case in CASES if case["name"] == name]
    assert outcome(case) == code
