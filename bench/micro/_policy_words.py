"""Names of lanes as numbers, for peers that share no code with the tables."""

from __future__ import annotations

from typing import Final

from router.model.answers import Lane
from router.model.documents import Urgency
from router.policy.model import LaneName

LANES: Final = {name: Lane[name.name].value for name in LaneName}
LANE_OF: Final = {urgency: Lane[urgency.name].value for urgency in Urgency}
