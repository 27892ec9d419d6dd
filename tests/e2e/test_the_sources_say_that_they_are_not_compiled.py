"""Who imports the checkout's own sources by accident is told what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_uncompiled_sources_name_the_way_out(tmp_path):
    leave = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "router", tmp_path / "router", ignore=leave)
    # An editable install would lead back to the checkout.
    alone = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'Editable' not in repr(f)]"
    done = subprocess.run(
        [sys.executable, "-c", f"{alone}; import router; router.Engine"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "start Python with -P, or from another folder" in done.stderr
