"""The main job on real input: one Hà Giang day through the engine and over HTTP."""

from vanban_bench.demo.report import DemoReport
from vanban_bench.demo.run import run_demo

__all__ = ["DemoReport", "run_demo"]
