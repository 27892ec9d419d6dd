"""The sending policy: for an audience, which part may receive, in which lane, and why.

`decide_batch` is the room's one door for audiences: a pure function of (compiled policy,
documents, audiences, instant); docs/policy.md is its semantics.
"""

from router.model.decisions import DocumentFacts
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import Decision, HeldPart, decide_batch
from router.policy.decisions import Standing, refuse_sender, refuse_signers
from router.policy.refusals import refusal_of
from router.policy.secrecy import carries_secrecy_mark

__all__ = [
    "CompiledPolicy",
    "Decision",
    "DocumentFacts",
    "HeldPart",
    "Standing",
    "carries_secrecy_mark",
    "compile_policy",
    "decide_batch",
    "refusal_of",
    "refuse_sender",
    "refuse_signers",
]
