"""Who has a document and who not, since when; and why a unit receives it or does not."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from router import limits
from router._core import Audience
from router.directory import Snapshot
from router.engine.access import Reader
from router.engine.alerts import alerts_of
from router.engine.facts import Facts, decode_facts, read_delivery_id, read_key
from router.engine.revoked import Revoked
from router.engine.state import Rooms
from router.engine.tracking_counts import EXPIRED, Leg, Member, count
from router.engine.tracking_counts import page as members
from router.engine.verdicts import reached_late
from router.errors import InputError, NotFoundError
from router.model.answers import LANE_NAMES, Explanation, HistoryEvent, TrackedDelivery, Tracking
from router.model.instants import show_instant
from router.model.units import TIER_NAMES, Unit
from router.ports import Clock
from router.queue import NAMES, RELEASED, Event, Queue, State, StoredDocument, after
from router.selectors import explain, parse


class Tracker:
    """The sender's side after acceptance; thread-safe, reads only."""

    def __init__(self, rooms: Rooms, queue: Queue, revoked: Revoked, clock: Clock) -> None:
        self._revoked = revoked
        self._rooms = rooms
        self._queue = queue
        self._clock = clock

    def found(self, document: str) -> Iterator[StoredDocument]:
        """Yield what a key (hex) or ``<sender code>|<document id>`` may mean.

        A code may have had several bearers, each with its documents: the latest comes first.
        Raises NotFoundError.
        """
        sender, bar, document_id = document.partition("|")
        keys: list[bytes | None]
        if bar:
            bearers = self._rooms.directory.bearers(sender)
            if not bearers:
                raise NotFoundError("unit.not_found", unit=sender)
            name = unicodedata.normalize("NFC", document_id)
            keys = [
                self._queue.by_document_id(unit.number, name, "new") for unit in reversed(bearers)
            ]
        else:
            keys = [read_key(document)]
        for key in keys:
            stored = self._queue.document(key) if key is not None else None
            if stored is not None:
                yield stored

    def document(self, document: str) -> StoredDocument:
        """Return the document meant, for an operator.  Raises NotFoundError."""
        for stored in self.found(document):
            return stored
        raise NotFoundError("document.not_found")

    def track(
        self,
        document: str,
        reads: Reader,
        limit: int,
        page: int,
        *,
        below: str | None = None,
        state: str | None = None,
    ) -> Tracking:
        """Count the states by tier and list one page of deliveries, in directory order.

        `reads` says whose documents the viewer may see: whoever may not see the sender's
        finds nothing.  `below` narrows all to the units below one, `state` the page.
        """
        _check(limit, page, state)
        now_us = self._clock.now_us()
        for stored in self.found(document):
            if reads(stored.sender):
                break
        else:
            raise NotFoundError("document.not_found")
        facts = decode_facts(stored.facts)
        root = None if below is None else self._below(below, facts.issued_at)
        parts = [
            (leg, leg.slices(None if root is None else root.number))
            for leg in self.legs(stored, now_us)
        ]
        by_tier: dict[str, Counter[str]] = {}
        for leg, slices in parts:
            for one, states in zip(slices, count(self._queue, leg, slices), strict=True):
                by_tier.setdefault(one.tier, Counter()).update(states)
        states = sum(by_tier.values(), Counter())
        found = members(self._queue, parts, state, page * limit, limit) if limit else []
        recipients = states.total()
        listed = recipients if state is None else states[state]
        more = limit > 0 and (page + 1) * limit < listed
        return Tracking(
            key=stored.key.hex(),
            document_id=facts.document_id,
            sender=facts.sender,
            accepted_at=show_instant(facts.accepted_at),
            subject=facts.subject,
            lane=LANE_NAMES[stored.lane],
            recipients=recipients,
            states=dict(states),
            by_tier={tier: dict(counts) for tier, counts in by_tier.items() if counts},
            deliveries=tuple(self._listed(one, stored, now_us) for one in found),
            next_page=page + 1 if more else 0,
            below="" if root is None else root.code,
            alerts=(
                *alerts_of(self._queue, stored.twin, facts),
                *self._revoked.alerts(stored.sequence),
            ),
        )

    def _below(self, below: str, issued_at: int) -> Unit:
        """Return the unit that is asked below: that of the issue time, else today's."""
        found = self._rooms.directory.find(below, issued_at)
        return found or self._rooms.unit(below, self._clock.now_us())

    def legs(self, stored: StoredDocument, now_us: int) -> list[Leg]:
        """Return the entries of a document that stand, oldest first."""
        found: list[Leg] = []
        for entry in reversed(self._queue.entries(stored.sequence)):
            if entry.standing == RELEASED:
                continue
            held = stored.audience
            if entry.number != stored.entries[0] or entry.size != held.size:
                held = self._queue.audience(entry.audience)
            snapshot = self._rooms.snapshot(held.snapshot)
            leg = Leg(entry, held.snapshot, snapshot, Audience.from_bytes(held.runs), now_us)
            if found:
                leg.shadow(found)
            found.append(leg)
        return found[::-1]

    def _listed(self, member: Member, stored: StoredDocument, now_us: int) -> TrackedDelivery:
        """Return a delivery of a page; one that nothing ever changed has no history."""
        leg = member.leg
        entry, unit = leg.entry, leg.snapshot.unit_at(member.position)
        if entry.cause or self._queue.cells(entry.number, member.rank, 1)[0] is not None:
            return self._tracked(unit, stored, now_us)
        since = entry.since
        if member.state == EXPIRED and entry.standing != State.EXPIRED:
            since = entry.expires
        tier = TIER_NAMES.get(unit.tier, str(unit.tier))
        return TrackedDelivery(unit.code, unit.name, tier, member.state, show_instant(since))

    def _tracked(self, unit: Unit, stored: StoredDocument, now_us: int) -> TrackedDelivery:
        tier = TIER_NAMES.get(unit.tier, str(unit.tier))
        places = self._rooms.places(unit.number)
        row = self._queue.delivery(stored.key, unit.number, now_us, places)
        assert row is not None, "a member of the audience has a delivery"
        events = self._events(unit.number, stored, now_us)
        history = tuple(
            HistoryEvent(
                event.state,
                show_instant(event.at),
                self._code_of(event.unit, now_us),
                event.actor,
                event.reason,
            )
            for event in (events if len(events) > 1 else ())
        )
        since = show_instant(row.since)
        return TrackedDelivery(unit.code, unit.name, tier, row.state, since, row.attempts, history)

    def _events(self, address: int, stored: StoredDocument, now_us: int) -> list[Event]:
        """Return the changes of a delivery, through all entries that ever held it."""
        if len(stored.entries) == 1:
            places = self._rooms.places(address)
            return self._queue.history(stored.key, address, now_us, places)
        held = [
            (leg, leg.rank(position))
            for leg in self.legs(stored, now_us)
            if (position := leg.snapshot.hierarchy.position(address)) >= 0
            and position in leg.audience
        ]
        events: list[Event] = []
        for place, (leg, rank) in enumerate(held, start=1):
            left = place < len(held)
            events += after.history_of(self._queue, stored.sequence, leg.entry, rank, left=left)
        return events

    def _code_of(self, number: int, now_us: int) -> str:
        try:
            return self._rooms.unit(number, now_us).code if number else ""
        except NotFoundError:  # a correction says that there never was such a unit
            return ""

    def delivery(self, delivery: str, reads: Reader) -> TrackedDelivery:
        """Return one delivery with its history, for who may see its sender's or address's.

        Raises NotFoundError `delivery.not_found`, also for those of others.
        """
        now_us = self._clock.now_us()
        key, address = read_delivery_id(delivery)
        stored = self._queue.document(key)
        if stored is not None and (reads(stored.sender) or reads(address)):
            for leg in self.legs(stored, now_us):
                position = leg.snapshot.hierarchy.position(address)
                if position >= 0 and position in leg.audience:
                    return self._tracked(leg.snapshot.unit_at(position), stored, now_us)
        raise NotFoundError("delivery.not_found")

    def explain(self, document: str, unit: str, reads: Reader) -> Explanation:
        """Say why a unit receives a document, or why not.

        Who may see the sender's documents may ask about any unit; who may see a recipient's,
        about that one.  Raises NotFoundError for documents that are not the viewer's.
        """
        for stored in self.found(document):
            facts = decode_facts(stored.facts)
            sender = reads(stored.sender)
            try:
                asked = self._rooms.unit(unit, facts.issued_at)
            except NotFoundError:
                if sender:
                    raise
                continue  # a stranger must not learn from the answer that there is a document
            snapshot = self._rooms.snapshot(stored.audience.snapshot)
            position = snapshot.hierarchy.position(asked.number)
            receives = self._receives(stored, asked.number)
            if sender or (receives and reads(asked.number)):
                break
        else:
            raise NotFoundError("document.not_found")
        reasons = self._reasons(snapshot, facts, position, stored.sender)
        kind, code = ("yes", "") if receives else self._without(stored, facts, asked.number)
        if kind == "no":
            selected = any(step["matched"] for step in reasons[-2:-1])  # the whole selector
            kind = "absent" if position < 0 else "left_out" if selected else "no"
        if code:
            reasons = (*reasons, _of_signatures(code))
        return Explanation(
            document=stored.key.hex(),
            unit=asked.code,
            name=asked.name,
            receives=receives,
            summary=_summary(asked, kind, facts, code, "en"),
            summary_vi=_summary(asked, kind, facts, code, "vi"),
            reasons=reasons,
        )

    def _receives(self, stored: StoredDocument, number: int) -> bool:
        """Say whether a unit is a member of an entry that joined inboxes: now, or when released."""
        for leg in self.legs(stored, self._clock.now_us()):
            position = leg.snapshot.hierarchy.position(number)
            if after.joined(leg.entry) and position >= 0 and position in leg.audience:
                return True
        return False

    def _without(self, stored: StoredDocument, facts: Facts, number: int) -> tuple[str, str]:
        """Say what keeps a document from a unit that does not have it: a kind of answer, a code.

        "waits", "invalid" (with the code) or "expired": the verdict over its signatures;
        "no": something else.
        """
        late = None if facts.waits is None else reached_late(self._queue, stored.sequence)
        for leg in self.legs(stored, self._clock.now_us()):
            position = leg.snapshot.hierarchy.position(number)
            if position < 0 or position not in leg.audience:
                continue
            if leg.entry.standing == State.WAITING:
                return "waits", ""
            if late is not None and late.said.outcome != "valid":
                return late.said.outcome, late.said.verdict.code
        return "no", ""

    def _reasons(
        self, snapshot: Snapshot, facts: Facts, position: int, sender: int
    ) -> tuple[dict[str, str | int | bool], ...]:
        if position < 0:
            return ()
        sends = snapshot.hierarchy.position(sender)
        steps = explain(
            parse(facts.selector), snapshot, position, sender=None if sends < 0 else sends
        )
        policy: dict[str, str | int | bool] = {
            "part": "policy",
            "matched": True,
            "because": ", ".join(facts.rules),
            "because_vi": ", ".join(facts.rules),
        }
        return (*steps, policy)


def _check(limit: int, page: int, state: str | None) -> None:
    if not 0 <= limit <= limits.TRACKING_PAGE_MAX or page < 0:
        said = f"limit is 0 to {limits.TRACKING_PAGE_MAX}, page from 0"
        raise InputError("field.invalid", path="$.limit", reason=said)
    if state is not None and state not in NAMES:
        said = f"one of {', '.join(NAMES)}"
        raise InputError("field.invalid", path="$.state", reason=said)


# fmt: off
_SUMMARIES = {"en": {
    "yes": "{name} receives it: selected by “{selector}” as of {at}.",
    "no": "{name} does not receive it: not selected by “{selector}” as of {at}.",
    "waits": "{name} does not have it yet: it waits for the verdict over its signatures; selected "
    "by “{selector}” as of {at}.",
    "invalid": "{name} does not receive it: the signature is not valid: {code}; "
    "see vanban verify. It was selected by “{selector}” as of {at}.",
    "expired": "{name} does not receive it: nothing was decided about its signatures in time; "
    "see vanban verify. It was selected by “{selector}” as of {at}.",
    "left_out": "{name} does not have it, though “{selector}” as of {at} selects it: the policy "
    "decided so; see vanban policy explain.",
    "absent": "{name} does not receive it: it did not exist at the issue time {at}.",
}, "vi": {
    "yes": "{name} nhận văn bản: thuộc nơi nhận “{selector}” tại {at}.",
    "no": "{name} không nhận văn bản: không thuộc nơi nhận “{selector}” tại {at}.",
    "waits": "{name} chưa nhận văn bản: còn chờ kết quả kiểm tra chữ ký số; thuộc nơi nhận "
    "“{selector}” tại {at}.",
    "invalid": "{name} không nhận văn bản: chữ ký số không hợp lệ: {code}; xem bằng lệnh "
    "vanban verify. Đơn vị thuộc nơi nhận “{selector}” tại {at}.",
    "expired": "{name} không nhận văn bản: hết hạn chờ mà chưa có kết quả kiểm tra chữ ký số; "
    "xem bằng lệnh vanban verify. Đơn vị thuộc nơi nhận “{selector}” tại {at}.",
    "left_out": "{name} không có văn bản, dù thuộc nơi nhận “{selector}” tại {at}: do chính sách; "
    "xem bằng lệnh vanban policy explain.",
    "absent": "{name} không nhận văn bản: chưa có hoặc đã đóng mã tại thời điểm ban hành {at}.",
}}
# fmt: on


def _summary(unit: Unit, kind: str, facts: Facts, code: str, language: str) -> str:
    return _SUMMARIES[language][kind].format(
        name=f"{unit.name} ({unit.code})",
        selector=facts.selector[: limits.FACT_CHARS_MAX],
        at=show_instant(facts.issued_at),
        code=code,
    )


def _of_signatures(code: str) -> dict[str, str | int | bool]:
    """Return the step that says that the signatures decided."""
    return {
        "part": "signatures",
        "matched": False,
        "because": f"not valid: {code}",
        "because_vi": f"không hợp lệ: {code}",
    }
