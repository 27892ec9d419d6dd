"""The shipped floor is read by whoever asks first, and several may."""

from __future__ import annotations

import subprocess
import sys

READERS = """
import sys, threading
sys.setswitchinterval(1e-6)
from router.policy.floor import floor_policy
together = threading.Barrier(8)
def read():
    together.wait()
    floor_policy()
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(floor_policy().rules))
"""


def test_threads_that_ask_for_the_floor_at_once_get_it() -> None:
    for _ in range(6):  # without what is prepared, every second time the process dies
        done = subprocess.run(
            [sys.executable, "-P", "-c", READERS], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 0
