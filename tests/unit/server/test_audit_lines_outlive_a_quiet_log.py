"""A daemon told to log warnings only must still write who was refused what.

The audit line is a duty, not chatter; it used to vanish with `log.level = "warning"`.
"""

import json
import subprocess
import sys
from datetime import datetime, timedelta

SCRIPT = """
import logging
from router.server.logs import configure_logging
access = configure_logging("warning")
access.info("hidden")
logging.getLogger("router.audit").info("refused code=x")
logging.getLogger("router.other").info("hidden")
logging.getLogger("router.other").warning("seen")
"""


def test_audit_lines_are_written_whatever_the_level() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], capture_output=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["refused code=x", "seen"]
    assert lines[0]["logger"] == "router.audit"


def test_lines_are_stamped_in_the_time_of_the_country() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], capture_output=True, check=True, timeout=60
    )
    for line in done.stderr.splitlines():
        at = datetime.fromisoformat(json.loads(line)["timestamp"])
        assert at.utcoffset() == timedelta(hours=7)
