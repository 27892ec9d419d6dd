"""What the demo found: counts against the plan, rates, one board, two explanations."""

from __future__ import annotations

import msgspec

from router.model.answers import Explanation, Tracking


class DemoReport(msgspec.Struct):
    """The demo's result as data.

    `documents` were submitted; `deliveries` were planned by the generator's own sets.  Per
    (document, address): `lost` was planned and not settled, `duplicated` was handed out again
    after it was settled, `misrouted` was handed out and not planned, `altered` differs from
    what was sent.  `seconds` by stage; `rates` a second; `board` as it stood after the pull
    over HTTP (None when nothing was accepted).  `faults` says in words what is not as planned.
    """

    units: int
    documents: int
    accepted: int
    repeated: int
    refused: dict[str, int]
    deliveries: int
    acknowledged: int
    returned: int
    lost: int
    duplicated: int
    misrouted: int
    altered: int
    mean_fan_out: float
    deliveries_by_tier: dict[str, int]
    deliveries_by_lane: dict[str, int]
    over_http: dict[str, int]
    seconds: dict[str, float]
    rates: dict[str, float]
    board: Tracking | None
    explanations: tuple[Explanation, ...]
    faults: list[str]

    @property
    def as_planned(self) -> bool:
        """Say whether every count is what the generator planned."""
        return not self.faults
