"""What the pages show is true: every example runs as written and says what it promises."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import COMMAND_S_MAX, environment, vanban

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def blocks(kind):
    """Return (name, text) of each block of a kind on all pages."""
    return [
        pytest.param(match[2], id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text(encoding="utf-8")), 1)
        if match[1] == kind
    ]


def run(command, cwd, **settings):
    """Run a command in its own session, so that what it leaves behind can be ended."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=COMMAND_S_MAX)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("text", blocks("python"))
def test_an_example_in_python_runs(text, tmp_path):
    file = tmp_path / "example.py"
    file.write_text(text, encoding="utf-8")
    status, out = run([sys.executable, "-P", str(file)], tmp_path)
    assert status == 0, out


def test_the_readmes_python_prints_what_its_comments_promise(tmp_path):
    (text,) = re.findall(
        r"^```python\n(.*?)^```$", PAGES[0].read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    file = tmp_path / "example.py"
    file.write_text(text, encoding="utf-8")
    status, out = run([sys.executable, "-P", str(file)], tmp_path)
    assert status == 0, out
    for said in ("for 193 communes", "received from H22 in lane normal", "'queued': 192",
                 "'delivered': 1", "does not receive it"):  # fmt: skip
        assert said in out
    assert len(text.splitlines()) <= 25, "the README promises few lines"


def test_the_units_in_json_can_be_imported(tmp_path):
    page = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    (text,) = re.findall(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "units.json").write_text(text, encoding="utf-8")
    assert vanban("init", "--data", "data", cwd=tmp_path).status == 0
    answer = vanban("directory", "import", "units.json", "--data", "data", cwd=tmp_path)
    assert (answer.status, answer.out) == (0, "2 units imported\n")


SAID = {
    "README.md": ("Made demo-data", "accepted", "193 recipients", "01/QĐ-UBND", "Usage: vanban"),
    "docs/embedding.md": ("2 units imported", "trusted", "bound to H22", "accepted",
                          "1 recipient,", "H22|H22,", "phân công nhiệm vụ"),
}  # fmt: skip


@pytest.mark.parametrize("page", SAID)
def test_a_shell_session_runs_pasted_whole(page, tmp_path):
    """In one shell that has the environment under test, with a port of its own."""
    text = (ROOT / page).read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    first, rest = block.split("\n", 1)
    assert first == ". .venv/bin/activate"
    if "openssl" in block and shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    port = free_port()
    ended = rest.replace("; do sleep", "; do kill -0 $! || exit 1; sleep")
    status, out = run(
        ["bash", "-c", f"set -em\n{ended}\nkill %1 2>/dev/null || true"],
        tmp_path,
        VANBAN__HTTP__PORT=port,
        VANBAN__CLIENT__URL=f"http://127.0.0.1:{port}",
    )
    assert status == 0, out
    for said in SAID[page]:
        assert said in out, out
    assert "Traceback" not in out


def test_every_shell_session_of_the_pages_is_run():
    sessions = [page for page in PAGES if "\n```sh\n. .venv" in page.read_text("utf-8")]
    assert {str(page.relative_to(ROOT)) for page in sessions} == set(SAID)
    assert blocks("console") == []


def test_the_command_for_the_readmes_python_works_from_the_checkout():
    page = PAGES[0].read_text("utf-8")
    (python, *arguments) = re.findall(r"`(\.venv/bin/python .*?)`", page)[0].split()
    assert python == ".venv/bin/python"
    status, out = run([sys.executable, *arguments], ROOT)
    assert status == 0, out
    assert "does not receive it" in out
    (shown,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert (ROOT / arguments[-1]).read_text("utf-8").endswith(shown)


def test_the_units_shown_are_those_of_the_file():
    page = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    assert (ROOT / "docs" / "examples" / "units.json").read_text("utf-8") in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_an_activation_shown_to_be_pasted_needs_no_terminal(page):
    for line in page.read_text("utf-8").splitlines():
        assert not line.startswith("vanban policy activate") or " --yes" in line, line


def test_signatures_end_to_end_as_the_page_links_it(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    page = (ROOT / "docs" / "signatures.md").read_text("utf-8")
    assert "(examples/signatures.sh)" in page
    port = free_port()
    status, out = run(
        ["bash", str(ROOT / "docs" / "examples" / "signatures.sh")],
        tmp_path,
        VANBAN__HTTP__PORT=port,
        VANBAN__CLIENT__URL=f"http://127.0.0.1:{port}",
        VANBAN__SIGNATURES__COLD_WAIT_MS="60000",
    )
    assert status == 0, out
    said = " ".join(out.split())
    before, after = said.split("== Revoke the certificate", 1)
    for words in ("trusted root", "trusted intermediate", "taken in", "bound to H22", "signed: 1",
                  "letter.signed.json: accepted", "Nothing to be done.", "H22|H22|1: valid",
                  "Compare a root's SHA-256", "Documents below it wait"):  # fmt: skip
        assert words in before, out
    for words in ("H22|H22|1: valid", "(signer.revoked: ", "H22|H22|1: invalid",
                  "certificate.revoked", "1 document", "binding.revoked",
                  "refused certificate.revoked"):  # fmt: skip
        assert words in after, out


def test_the_tasks_named_in_the_readme_exist():
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", PAGES[0].read_text("utf-8")))
    assert named <= tasks
