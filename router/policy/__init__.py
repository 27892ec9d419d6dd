"""The sending policy: for an audience, which part may receive, in which lane, and why.

This version holds the law's floor.  `decide_batch` is the room's one door for audiences: a
pure function of (questions, policy); later rules become decision tables behind it.
"""

from router.policy.decisions import (
    Decision,
    Policy,
    Question,
    Standing,
    decide_batch,
    refuse_sender,
)
from router.policy.secrecy import carries_secrecy_mark

__all__ = [
    "Decision",
    "Policy",
    "Question",
    "Standing",
    "carries_secrecy_mark",
    "decide_batch",
    "refuse_sender",
]
