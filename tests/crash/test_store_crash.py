"""kill -9 in the middle of a storm, and a disk that stops taking bytes.

A child process accepts, leases and settles, and prints each answer only after it got it.
Whatever was printed must be there when the directory is opened again, and what the log
says must be what the state says.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from support.stores import AT, acceptance, box_of, member_of

from router.queue.queue import Queue

PORTS = ("log", "group")
STORM = textwrap.dedent(
    """
    import json, sys, threading
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from support.stores import AT, acceptance, box_of, member_of, topics_for
    from router.queue.queue import Queue
    import msgspec

    queue = Queue(box_of(sys.argv[4], Path(sys.argv[1])).open())
    first = int(sys.argv[3])
    say = threading.Lock()

    def answered(**facts):
        with say:
            sys.stdout.write(json.dumps(facts) + "\\n")
            sys.stdout.flush()

    def submit(lane):
        for turn in range(10_000):
            numbers = [first + (turn * 3 + lane) * 4 + place for place in range(4)]
            batch = [acceptance(number, [5, 6], lane=lane) for number in numbers]
            for number, answer in zip(numbers, queue.accept(batch)):
                answered(number=number, sequence=answer.sequence)

    def drain(address):
        while True:
            got = queue.lease(address, topics_for(address), member_of(address), 8, AT * 2, AT, "x")
            queue.settle(
                address, [(item.key, "delivered", "") for item in got], AT, address, "x",
                member_of(address),
            )
            for item in got:
                answered(address=address, key=item.key.hex())

    threads = [threading.Thread(target=submit, args=(lane,)) for lane in range(3)]
    threads += [threading.Thread(target=drain, args=(address,)) for address in (5, 6)]
    for thread in threads:
        thread.start()
    """
)

FULL = textwrap.dedent(
    """
    import resource, sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from support.stores import acceptance, box_of
    from router.errors import StorageError
    from router.queue.queue import Queue

    queue = Queue(box_of(sys.argv[3], Path(sys.argv[1])).open())
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    stored = 0
    try:
        while True:
            queue.accept([acceptance(stored, [5], envelope=b"x" * 20_000)])
            stored += 1
    except StorageError as error:
        print(stored, error.code, queue.healthy())
    try:
        queue.accept([acceptance(10_000, [5])])
    except StorageError as error:
        print(error.code)
    """
)


def _folder_of_tests() -> str:
    return str(Path(__file__).resolve().parent.parent)


def storm_until_killed(path: Path, first: int, lines: int, port: str) -> list[dict[str, object]]:
    """Run the storm, kill -9 it after so many answers, return all answers it printed."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", STORM, str(path), _folder_of_tests(), str(first), port],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    answers = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    answers += child.stdout.readlines()
    child.wait()
    return [json.loads(line) for line in answers if line.endswith("}\n")]


@pytest.mark.parametrize("port", PORTS)
def test_what_was_answered_survives_kill_9_several_times(tmp_path, port):
    path = tmp_path / "data"
    sequences: dict[int, int] = {}
    settled: set[tuple[int, str]] = set()
    for turn in range(4):
        for answer in storm_until_killed(path, turn * 1_000_000, 40 + 150 * turn, port):
            if "number" in answer:
                sequences[answer["number"]] = answer["sequence"]
            else:
                settled.add((answer["address"], answer["key"]))
        queue = Queue(box_of(port, path).open())
        for number, sequence in sequences.items():
            item = acceptance(number, [5, 6])
            stored = queue.document(item.key)
            assert stored is not None, f"document {number} was answered and is lost"
            assert (stored.sequence, stored.envelope) == (sequence, item.envelope)
        for address, key in settled:
            row = queue.delivery(bytes.fromhex(key), address, AT, member_of(address))
            assert row is not None, f"a delivery for {address} was settled and is lost"
            assert row.state == "delivered"
        assert queue.check() == []
        queue.close()
    assert len(sequences) > 100
    assert settled


@pytest.mark.parametrize("port", PORTS)
def test_a_disk_that_takes_no_more_bytes_fences_and_keeps_old_data(tmp_path, port):
    path = tmp_path / "data"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", FULL, str(path), _folder_of_tests(), port],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = answer.stdout.splitlines()
    stored, code, healthy = first.split()
    assert code in {"store.full", "store.failed"}
    assert second == code
    assert healthy == "False"
    assert int(stored) > 3
    queue = Queue(box_of(port, path).open())
    # The group that failed may be there, too: nobody was told either way.
    assert queue.counts()["documents"] in {int(stored), int(stored) + 1}
    assert queue.check() == []
    queue.accept([acceptance(20_000, [5], at=AT)])
    queue.close()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("delay_ms", [0, 5, 20])
def test_a_kill_during_creation_leaves_a_directory_that_opens(tmp_path, delay_ms, port):
    path = tmp_path / "data"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", STORM, str(path), _folder_of_tests(), "0", port],
        stdout=subprocess.DEVNULL,
    )
    while not path.exists() and child.poll() is None:
        time.sleep(0.001)
    time.sleep(delay_ms / 1_000)
    child.kill()
    child.wait()
    queue = Queue(box_of(port, path).open())
    assert queue.check() == []
    queue.close()
