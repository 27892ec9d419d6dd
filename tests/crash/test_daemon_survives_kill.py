"""`kill -9` of the daemon in the middle of a submission storm, and a restart, several times.

No receipt given out may be forgotten, no document may reach a unit it is not for, what was
acknowledged never comes again, and what was never answered can be sent again without harm.
`VANBAN_CRASH_ROUNDS` sets how often the daemon is killed (4; the system test: 50).
"""

import os
import signal
import time
from random import Random

import pytest
from support.daemon import daemon
from support.storm import Storm, found_at, submit

from router.client import Client
from router.engine import Engine

ROUNDS = int(os.environ.get("VANBAN_CRASH_ROUNDS", "4"))
ROUNDS_SYSTEM = int(os.environ.get("VANBAN_CRASH_ROUNDS", "50"))
LEASE_S = 1


def kill_in_the_storm(data, town, seed):
    """One life of the daemon: from its start to SIGKILL at a random instant."""
    random = Random(seed)
    with daemon(data) as running:
        storm = Storm(town, running.base_url, seed)
        storm.start()
        for _ in range(random.randint(1, 60)):
            assert storm.answered.acquire(timeout=30), running.log_text()
        time.sleep(random.uniform(0, 0.2))
        assert running.process.poll() is None, running.log_text()
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        storm.end()


def send_again(base_url, town):
    """Every document without an answer is sent again, and some with one."""
    for sender, letters in town.letters.items():
        with Client(base_url, town.inboxes[sender].token) as client:
            again = [one for one in letters if one.receipt is None] + letters[:20]
            for start in range(0, len(again), 50):
                submit(client, again[start : start + 50])


def drain(base_url, town):
    """Every unit acknowledges what it holds, and pulls until nothing is left."""
    time.sleep(LEASE_S + 0.1)
    for inbox in town.inboxes.values():
        with Client(base_url, inbox.token) as client:
            inbox.acknowledge(client, sorted(inbox.held))
            while inbox.pull(client, 100, 60):
                inbox.acknowledge(client, sorted(inbox.held))


def wrong_at_recipients(town):
    """Return what units got that is not theirs, or did not get that is."""
    wrong = [breach for inbox in town.inboxes.values() for breach in inbox.wrong]
    letters = {one.receipt.key: one for one in town.all_letters()}
    if len(letters) != len(town.all_letters()):
        wrong.append("two documents share a key")
    for inbox in town.inboxes.values():
        due = {key for key, letter in letters.items() if inbox.unit in letter.recipients}
        got = set(inbox.pulled)
        wrong += [f"misrouted: {inbox.unit} got {key}" for key in got - due]
        wrong += [f"lost: {inbox.unit} did not get {key}" for key in due - got]
        left = set(inbox.pulled.values()) - inbox.acknowledged
        wrong += [f"not acknowledged: {one}" for one in left]
    return wrong


def wrong_at_senders(base_url, town):
    """Return what the tracking boards say that the units know better."""
    wrong = []
    for sender, letters in town.letters.items():
        with Client(base_url, town.inboxes[sender].token) as client:
            for letter in letters:
                board = client.track(letter.receipt.key, limit=0)
                if board.document_id != letter.document_id:
                    wrong.append(f"{letter.document_id} is tracked as {board.document_id}")
                if board.states != {"delivered": len(letter.recipients)}:
                    wrong.append(f"{letter.document_id}: {board.states}")
    return wrong


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(ROUNDS, id="a-few"),
        pytest.param(
            ROUNDS_SYSTEM, id="many", marks=[pytest.mark.system, pytest.mark.timeout(1_200)]
        ),
    ],
)
def test_no_receipt_is_forgotten_and_no_document_goes_astray(tmp_path, rounds):
    data = tmp_path / "data"
    town = found_at(data)
    for life in range(rounds):
        kill_in_the_storm(data, town, life)
    held = sum(one.receipt is not None for one in town.all_letters())
    assert held > 0
    with daemon(data) as running:
        send_again(running.base_url, town)
        drain(running.base_url, town)
        assert wrong_at_recipients(town) == []
        assert wrong_at_senders(running.base_url, town) == []
        assert running.stop() == 0, running.log_text()
    with Engine.open(data) as engine:
        assert engine.check() == []
        stored = engine.counters()["stored"]
        assert stored["documents"] == len(town.all_letters())
        assert stored["delivered"] == sum(len(one.recipients) for one in town.all_letters())
