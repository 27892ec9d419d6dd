"""A signed document goes in over HTTP and comes out at its recipients, and nowhere else.

Real engine, real server on loopback, the shipped clients.
"""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest
from support.daemon import found
from support.http import ask, dial

from router.client import AsyncClient, Client
from router.engine import Engine
from router.errors import (
    AuthenticationError,
    ForbiddenError,
    InputError,
    NotFoundError,
    OverloadedError,
    RecipientError,
    SignatureRefusedError,
    VanbanError,
)
from router.model.answers import Problem, Receipt
from router.model.documents import Document, Envelope
from router.server import BackgroundServer

COMMUNES = "children(H22.31)"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Engine.open(tmp_path_factory.mktemp("data") / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            yield town, server.base_url


@pytest.fixture
def town(house):
    return house[0]


@pytest.fixture
def base_url(house):
    return house[1]


@pytest.fixture
def client(town, base_url):
    made = []

    def make(code, **options):
        token = town.operator if code == "operator" else town.tokens[code]
        made.append(Client(base_url, token, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def _empty_inboxes(town, base_url):
    yield
    for token in town.tokens.values():
        with Client(base_url, token) as client:
            while deliveries := client.lease(1_000):
                client.acknowledge([one.delivery for one in deliveries])


def test_a_document_reaches_exactly_its_audience(town, client):
    receipt = client("H22").submit(town.envelope("H22", COMMUNES))
    assert receipt.effective == 2
    assert not receipt.repeated
    for code, count in (("H22.31.20", 1), ("H22.31.21", 1), ("H22.31", 0), ("H22", 0)):
        assert len(client(code).lease()) == count


def test_the_delivery_carries_the_signed_bytes_unchanged(town, client):
    raw = town.envelope("H22", "H22.31.20")
    client("H22").submit(raw)
    (delivery,) = client("H22.31.20").lease()
    envelope = msgspec.json.decode(raw, type=Envelope)
    assert delivery.payload == envelope.payload
    assert delivery.signatures == envelope.signatures


def test_a_repeat_gets_the_first_receipt_and_status_200(town, base_url):
    raw = town.envelope("H22", "H22.31.20")
    token = town.tokens["H22"]
    first = ask(base_url, "POST", "/v1/documents", raw, token, "application/json")
    again = ask(base_url, "POST", "/v1/documents", raw, token, "application/json")
    assert (first.status, again.status) == (201, 200)
    assert again.json() == {**first.json(), "repeated": True}
    tracking = ask(base_url, "GET", first.headers["location"], token=token)
    assert tracking.status == 200


def test_acknowledging_is_final_and_repeatable(town, client):
    client("H22").submit(town.envelope("H22", "H22.31.20"))
    inbox = client("H22.31.20", actor="Nguyễn Văn A")
    ids = [one.delivery for one in inbox.lease()]
    (first,) = inbox.acknowledge(ids)
    (again,) = inbox.acknowledge(ids)
    assert (first.state, first.repeated) == ("delivered", False)
    assert (again.state, again.repeated) == ("delivered", True)
    assert inbox.lease() == []


def test_a_refusal_names_the_person_and_the_reason(town, client):
    receipt = client("H22").submit(town.envelope("H22", "H22.31.20"))
    inbox = client("H22.31.20", actor="Nguyễn Văn A")
    (delivery,) = inbox.lease()
    (settled,) = inbox.refuse([delivery.delivery], "Sai nơi nhận")
    assert settled.state == "refused"
    (tracked,) = client("H22").track(receipt.key).deliveries
    event = tracked.history[-1]
    assert (event.state, event.actor, event.reason) == ("refused", "Nguyễn Văn A", "Sai nơi nhận")


def test_a_refusal_without_a_reason_is_an_error(client):
    with pytest.raises(InputError, match=r"reason\.missing"):
        client("H22.31.20").refuse(["x"], "  ")


def test_another_units_delivery_cannot_be_settled(town, client):
    client("H22").submit(town.envelope("H22", "H22.31.20"))
    (delivery,) = client("H22.31.20").lease()
    (answer,) = client("H22.31.21").acknowledge([delivery.delivery])
    assert answer.code == "delivery.not_found"
    assert answer.state == ""
    (settled,) = client("H22.31.20").acknowledge([delivery.delivery])
    assert not settled.repeated


def test_tracking_is_for_those_concerned(town, client):
    receipt = client("H22").submit(town.envelope("H22", "H22.31.20"))
    assert client("H22").track(receipt.key).recipients == 1
    assert client("operator").track(receipt.key).recipients == 1
    for other in ("H22.31.20", "H22.32"):  # a recipient, a stranger
        with pytest.raises(NotFoundError, match=r"document\.not_found"):
            client(other).track(receipt.key)


def test_a_document_is_found_by_sender_and_id_with_slashes(town, client):
    receipt = client("H22").submit(town.envelope("H22", "H22.31.20"))
    tracking = client("H22").track(f"H22|{receipt.document_id}")
    assert tracking.key == receipt.key


def test_an_explanation_says_why_and_why_not(town, client):
    receipt = client("H22").submit(town.envelope("H22", COMMUNES))
    assert client("H22").explain(receipt.key, "H22.31.20").receives
    assert not client("H22").explain(receipt.key, "H22.32").receives


def test_a_selector_is_resolved(client):
    assert client("H22").resolve(COMMUNES).size == 2
    assert len(client("H22").resolve("descendants(H22)", limit=1).units) == 1
    with pytest.raises(RecipientError, match=r"recipient\.unknown"):
        client("H22").resolve("children(H99)")


def test_units_and_whoami(client):
    assert client("H22.31.20").unit("h22.31").name == "UBND huyện Đồng Văn"
    assert client("H22.31.20").whoami().code == "H22.31.20"
    assert client("operator").whoami().operator
    with pytest.raises(NotFoundError, match=r"unit\.not_found"):
        client("H22").unit("H99")


def test_a_wrong_token_is_told_nothing(base_url):
    with Client(base_url, "vb1.none.such") as client, pytest.raises(AuthenticationError) as caught:
        client.whoami()
    assert caught.value.code == "token.invalid"


def test_an_operator_has_no_inbox_and_sends_nothing(town, client):
    with pytest.raises(ForbiddenError):
        client("operator").lease()
    with pytest.raises(ForbiddenError):
        client("operator").submit(town.envelope("H22", COMMUNES))


def test_another_units_document_is_refused(town, client):
    with pytest.raises(VanbanError) as caught:
        client("H22.32").submit(town.envelope("H22", COMMUNES))
    assert caught.value.status in (403, 422)
    assert client("H22.31.20").lease() == []


def test_a_changed_byte_is_refused(town, client):
    envelope = msgspec.json.decode(town.envelope("H22", COMMUNES), type=Envelope)
    forged = msgspec.structs.replace(envelope, payload=envelope.payload.replace(b"ban", b"nab"))
    with pytest.raises(SignatureRefusedError, match=r"signature\.invalid"):
        client("H22").submit(forged)


def test_a_batch_answers_each_line_in_its_place(town, client):
    good = [town.envelope("H22", "H22.31.20") for _ in range(70)]
    batch = [*good, b"", b'{"version":', town.envelope("H22", "H99"), good[0]]
    outcomes = client("H22").submit_batch(batch)
    assert len(outcomes) == len(batch)
    for raw, outcome in zip(good, outcomes, strict=False):
        document = msgspec.json.decode(
            msgspec.json.decode(raw, type=Envelope).payload, type=Document
        )
        assert isinstance(outcome, Receipt)
        assert outcome.document_id == document.document_id
    codes = [one.code if isinstance(one, Problem) else one.repeated for one in outcomes[70:]]
    assert codes == ["json.malformed", "json.malformed", "recipient.unknown", True]


def test_a_batch_may_be_empty(client):
    assert client("H22").submit_batch([]) == []


def test_a_pretty_printed_envelope_goes_through_a_batch(town, client):
    pretty = msgspec.json.format(town.envelope("H22", "H22.31.20"), indent=2)
    (outcome,) = client("H22").submit_batch([pretty])
    assert isinstance(outcome, Receipt)


def test_a_long_poll_wakes_when_something_arrives(town, base_url, client):
    got = []
    asleep = Client(base_url, town.tokens["H22.31.20"])
    poll = threading.Thread(target=lambda: got.extend(asleep.lease(wait_s=60)))
    poll.start()
    wait_for_long_polls(base_url, 1)
    client("H22").submit(town.envelope("H22", "H22.31.21"))
    assert poll.is_alive()
    receipt = client("H22").submit(town.envelope("H22", "H22.31.20"))
    poll.join(50)
    assert [one.key for one in got] == [receipt.key]
    asleep.close()


def test_a_long_poll_gets_what_comes_back_when_a_lease_runs_out(town, client):
    client("H22").submit(town.envelope("H22", "H22.31.20"))
    inbox = client("H22.31.20")
    (first,) = inbox.lease(lease_s=2)
    (again,) = inbox.lease(wait_s=60)
    assert again.delivery == first.delivery
    assert again.attempt == 2


def test_a_long_poll_looks_once_more_when_its_time_is_over(town, client, monkeypatch):
    monkeypatch.setattr("router.limits.LEASE_ENDS_MAX", 0)  # no end of a lease is remembered
    client("H22").submit(town.envelope("H22", "H22.31.20"))
    inbox = client("H22.31.20")
    (first,) = inbox.lease(lease_s=1)
    (again,) = inbox.lease(wait_s=2)
    assert again.delivery == first.delivery


def test_a_client_that_goes_away_takes_no_delivery_with_it(town, base_url, client):
    with dial(base_url) as gone:
        head = "POST /v1/inbox/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        rest = "\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
        gone.sendall((head + town.tokens["H22.31.20"] + rest + '{"wait_s":50}').encode())
        wait_for_long_polls(base_url, 1)
    wait_for_long_polls(base_url, 0)
    client("H22").submit(town.envelope("H22", "H22.31.20"))
    assert len(client("H22.31.20").lease()) == 1


def wait_for_long_polls(base_url, count):
    """Return when that many requests sleep, as /metrics says."""
    while True:
        page = ask(base_url, "GET", "/metrics").body.decode()
        if f"vanban_http_long_polls {count}.0" in page:
            return


def test_the_asynchronous_client_does_the_same(town, base_url):
    async def run():
        async with (
            AsyncClient(base_url, town.tokens["H22"], actor="Trần Thị B") as sender,
            AsyncClient(base_url, town.tokens["H22.31.20"]) as inbox,
        ):
            envelopes = [town.envelope("H22", "H22.31.20") for _ in range(20)]
            receipts = await asyncio.gather(*(sender.submit(one) for one in envelopes))
            deliveries = await inbox.lease(100, wait_s=5)
            assert {one.key for one in deliveries} == {one.key for one in receipts}
            first, *rest = [one.delivery for one in deliveries]
            assert (await inbox.refuse([first], "Trùng"))[0].state == "refused"
            assert {one.state for one in await inbox.acknowledge(rest)} == {"delivered"}
            document = f"H22|{receipts[0].document_id}"
            assert (await sender.track(document)).key == receipts[0].key
            assert (await sender.explain(receipts[0].key, "H22.31.20")).receives
            assert (await sender.resolve(COMMUNES)).size == 2
            assert (await sender.unit("H22")).number == 1
            assert (await sender.whoami()).code == "H22"
            with pytest.raises(RecipientError):
                await sender.resolve("children(")

    asyncio.run(run())


def test_an_unreachable_daemon_is_said_to_be_so():
    with (
        Client("http://127.0.0.1:9", "vb1.a.b") as client,
        pytest.raises(OverloadedError, match=r"server\.unreachable"),
    ):
        client.whoami()
