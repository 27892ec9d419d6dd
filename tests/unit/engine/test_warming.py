"""After an opening the paths of known signers are judged before their documents come.

The failure guarded against: a restart makes the documents of every signer wait for a cold path,
or an opening waits for paths nobody has asked about yet.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support.office import Office
from support.waiting import until as wait_until

from router.engine import Engine
from router.signatures import paths

SENDERS = ("H22.31", "H22.32", "H22")


def known(engine: Engine) -> set[str]:
    """Return the certificates (SHA-256 in hex) whose paths are remembered as good."""
    return {path.chain[0] for path in list(engine._verifier._caches.paths._entries.values())}


def names(office: Office) -> dict[str, str]:
    """Return the senders by the SHA-256 of their certificates."""
    import hashlib

    return {
        hashlib.sha256(signer.certificate_der).hexdigest(): code
        for code, signer in office.signers.items()
    }


def known_senders(office: Office) -> set[str]:
    by_sha256 = names(office)
    return {by_sha256[sha256] for sha256 in known(office.engine)}


def test_after_an_opening_the_paths_of_known_signers_become_known_by_themselves(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    for sender in SENDERS:
        office.send(sender, "H22.1")
    office.reopen()
    wait_until(lambda: known_senders(office) == set(SENDERS))
    judged: list[object] = []
    cold = office.engine._verifier._cold
    really = cold._judge
    cold._judge = lambda *asked: judged.append(asked) or really(*asked)  # type: ignore[func-returns-value]
    office.send("H22.31", "H22.1")
    assert judged == [], "its document asks for no path"
    office.engine.close()


def test_a_batch_from_many_signers_is_found_whole(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.submit(*(office.envelope(sender=sender) for sender in office.signers))
    office.reopen()
    wait_until(lambda: known_senders(office) == set(office.signers))
    office.engine.close()


def test_the_latest_come_first_and_no_more_than_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path)
    for sender in SENDERS:
        office.send(sender, "H22.1")
    monkeypatch.setattr("router.signatures.caches.PATH_CACHE_ENTRIES_MAX", 2)
    office.reopen()
    wait_until(lambda: not office.engine._verifier.warming)
    assert known_senders(office) == {"H22", "H22.32"}
    office.engine.close()


def test_who_speaks_for_no_unit_any_more_is_left_out(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for sender in SENDERS:
        office.send(sender, "H22.1")
    der = office.signers["H22.32"].certificate_der
    office.engine.bind("H22.32", der, valid_from=0, valid_to=office.clock.now_us() - 1)
    office.reopen()
    wait_until(lambda: not office.engine._verifier.warming)
    assert known_senders(office) == {"H22", "H22.31"}
    office.engine.close()


def test_an_opening_a_document_and_a_closing_wait_for_one_path_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path)
    for sender in SENDERS:
        office.send(sender, "H22.1")
    entered, go_on = threading.Event(), threading.Event()
    judged: list[str] = []

    def slow(leaf: Any, *more: Any) -> paths.PathVerdict:
        entered.set()
        assert go_on.wait(60)
        judged.append(leaf.sha256.hex())
        return paths.judge_path(leaf, *more)

    monkeypatch.setattr("router.signatures.verifier.judge_path", slow)
    office.reopen()  # it is open while the first path is being judged
    assert entered.wait(60)
    asked = threading.Thread(target=office.send, args=("H22.31", "H22.1"))
    asked.start()
    wait_until(lambda: office.engine._verifier.sizes().cold_waiting == 2)
    go_on.set()
    asked.join()
    assert [names(office)[one] for one in judged[:2]] == ["H22", "H22.31"]
    go_on.clear()
    entered.clear()
    go_on.set()
    office.engine.close()
    assert not office.engine._verifier.warming


@pytest.mark.parametrize("share", [True, False], ids=["daemon", "embedded"])
def test_a_daemon_is_ready_for_signers_it_has_never_seen(tmp_path: Path, share: bool) -> None:
    program = (
        "import sys, time\n"
        "from router.engine import Engine\n"
        f"with Engine.open({str(tmp_path / 'data')!r}, share={share}) as engine:\n"
        "    while engine._verifier.warming:\n"
        "        time.sleep(0.01)\n"
        "    print('router.signatures.path_judge' in sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == str(share)
