"""The simulator: the whole engine on a memory disk, seeded clients, clocks that jump, crashes.

One seed is one run.  A model of plain dicts says after each step whether every accepted
document reaches every entitled unit once, and nobody else.  docs/simulator.md tells more.
"""

from vanban_bench.simulator.run import Report, Violation, run_seed, steps_of

__all__ = ["Report", "Violation", "run_seed", "steps_of"]
