"""The doors: who may come in, what may be thrown at them, and what webhooks do when the other side is strange."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard
from central_rig import START_MS, STORE, CentreProcess, Gateway, Receiver, kill_leftover
from central_rows import proposal, receipt
from standardwebhooks import Webhook, WebhookVerificationError
from test_central_loop import get, post, put, set_up_store


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentreProcess]:
    process = CentreProcess(tmp_path_factory.mktemp("doors"), auto_approve_below_cents=1_000_000)
    process.command("init")
    process.start()
    set_up_store(process.client(), items=60)
    yield process
    kill_leftover(process.process)


@pytest.fixture(scope="module")
def gateway(centre: CentreProcess) -> Gateway:
    return Gateway(centre, centre.add_gateway())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def is_problem(reply: httpx.Response, status: int) -> bool:
    assert reply.status_code == status, f"{reply.status_code}: {reply.text[:300]}"
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == status
    return bool(reply.json()["detail"])


def test_a_scope_is_refused_before_a_good_body_has_an_effect(centre: CentreProcess) -> None:
    member_app, system, hq = (centre.client(scope) for scope in ("member-app", "system", "hq"))
    switch = {"scope": "chain", "on": True, "who": "x"}
    assert is_problem(system.put("/v1/kill-switches", json=switch), 403)
    assert is_problem(member_app.put(f"/v1/stores/{STORE}/items", json={"items": []}), 403)
    assert is_problem(
        hq.post(
            "/v1/orders", json={"order": "1", "store": STORE, "sku": "sku-1", "quantity_units": 1, "at_ms": 0}
        ),
        403,
    )
    assert is_problem(member_app.get("/v1/feed", params={"types": "shelfloop.restock.trigger.v1"}), 403)
    assert get(hq, "/v1/kill-switches")["rows"] == []


def test_a_gateways_key_speaks_for_itself_only(centre: CentreProcess, gateway: Gateway) -> None:
    other = Gateway(centre, centre.add_gateway(STORE, "gw-2"), name="gw-2")
    body = gateway.body(gateway.numbered([receipt(900)]))
    gateway.seq -= 1
    assert is_problem(other.http.post("/v1/gateways/gw-1/batches", content=body), 403)
    assert is_problem(
        other.http.post("/v1/gateways/gw-2/batches", content=body, headers={"Content-Encoding": "zstd"}), 403
    )
    assert is_problem(other.http.get("/v1/stores"), 403)
    assert is_problem(centre.client("admin").post("/v1/gateways/gw-1/batches", content=body), 403)


def test_a_new_key_ends_the_old_one(centre: CentreProcess) -> None:
    old = Gateway(centre, centre.add_gateway(STORE, "gw-3"), name="gw-3")
    new = Gateway(centre, centre.add_gateway(STORE, "gw-3"), name="gw-3")
    assert old.post(old.body([])).status_code == 401
    assert new.post(new.body([])).status_code == 200
    assert "stands in store" in centre.command(
        "gateway", "add", "--store", "elsewhere", "--gateway", "gw-3", code=78
    )


def test_bad_batches_are_problems_and_never_faults(centre: CentreProcess, gateway: Gateway) -> None:
    good = gateway.body(gateway.numbered([receipt(901), receipt(902)]))
    gateway.seq -= 2
    plain = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(good))

    def changed(**update: object) -> bytes:
        return json.dumps({**plain, **update}).encode()

    ragged = {"receipt": {**plain["records"]["receipt"], "at_ms": [1]}}
    bomb = zstandard.ZstdCompressor().compress(b"\0" * 200_000_000)
    assert len(bomb) < 100_000
    for body, encoding, status in (
        (bomb, "zstd", 422),
        (good[: len(good) // 2], "zstd", 422),
        (b"", "zstd", 422),
        (good, "", 422),
        (good, "gzip", 422),
        (b"[" * 100_000, "", 422),
        (b'{"a":' * 50_000, "", 422),
        (b"\xff\xfe", "", 422),
        (changed(v=2), "", 422),
        (changed(seq_from=0), "", 422),
        (changed(seq_to=10**18), "", 422),
        (changed(records={"nonsense": {"seq": [1]}}), "", 422),
        (changed(records=ragged), "", 422),
        (changed(epoch="Not An Id"), "", 422),
        (changed(extra=1), "", 422),
        (b"x" * 9_000_000, "", 413),
    ):
        assert is_problem(gateway.post(body, encoding), status)
    chunked = gateway.http.post(
        "/v1/gateways/gw-1/batches",
        content=(b"x" * 100_000 for _ in range(100)),
        headers={"Content-Encoding": "zstd"},
    )
    assert is_problem(chunked, 413)
    assert centre.status()["counters"]["bad_batches"] > 10
    assert gateway.send(receipt(901), receipt(902)).rejected == []


def test_one_bad_row_is_quarantined_and_its_neighbours_are_taken(
    centre: CentreProcess, gateway: Gateway
) -> None:
    rows = gateway.numbered([receipt(911), receipt(912), receipt(913)])
    plain = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(gateway.body(rows)))
    plain["records"]["receipt"]["business_date"][1] = "yesterday"
    reply = gateway.post(json.dumps(plain).encode(), "")
    [rejected] = reply.json()["rejected"]
    assert (rejected["seq"], "business_date" in rejected["reason"]) == (rows[1].seq, True)
    assert reply.json()["acked_through"] == rows[2].seq
    quarantine = get(centre.client("hq"), "/v1/quarantine", store=STORE)["rows"]
    assert any("business_date" in row["reason"] for row in quarantine)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (
            "PUT",
            f"/v1/stores/{STORE}",
            {"name": "x", "timezone": "Mars/Olympus", "currency": "USD", "hours": []},
        ),
        ("PUT", "/v1/stores/Not%20An%20Id", {"name": "x", "timezone": "UTC", "currency": "USD", "hours": []}),
        (
            "PUT",
            f"/v1/stores/{STORE}",
            {"name": "x", "timezone": "../../etc/passwd", "currency": "USD", "hours": []},
        ),
        (
            "PUT",
            f"/v1/stores/{STORE}/items",
            {"items": [{"sku": "a", "gtins": ["4006381333932"], "name": "", "category": ""}]},
        ),
        ("PUT", f"/v1/stores/{STORE}/prices", {"prices": [{"sku": "a", "price_cents": -1, "from_ms": 0}]}),
        (
            "PUT",
            "/v1/members/m-1",
            {"marketing_consent": True, "location_consent": True, "timezone": "UTC", "lat": 1.0, "lon": 2.0},
        ),
        (
            "PUT",
            "/v1/members/m-1",
            {
                "marketing_consent": True,
                "location_consent": True,
                "timezone": "UTC",
                "h3_cell": "8a2a1072b59ffff",
            },
        ),
        (
            "PUT",
            "/v1/members/m-1",
            {"marketing_consent": True, "location_consent": True, "timezone": "\ud800"},
        ),
        (
            "POST",
            "/v1/orders",
            {"order": "1", "store": STORE, "sku": "nothing", "quantity_units": 1, "at_ms": 0},
        ),
        ("POST", "/v1/webhooks", {"url": "ftp://example.com/"}),
        ("POST", "/v1/webhooks", {"url": "http://no-such-host.invalid/"}),
        ("POST", "/v1/webhooks", {"url": "http://user:pass@127.0.0.1/"}),
        ("GET", f"/v1/stores/{STORE}/skus?sort=;drop", None),
        ("GET", f"/v1/stores/{STORE}/skus?after=-1", None),
        ("GET", "/v1/triggers?state=nonsense", None),
        ("GET", "/v1/triggers?after=99999999999999999999:x", None),
        ("GET", "/v1/feed?after=99999999999999999999", None),
        ("GET", "/v1/overview?from_ms=5&to_ms=1", None),
        ("GET", "/v1/categories/hours?from_ms=5&to_ms=1", None),
        ("GET", f"/v1/stores/{STORE}/skus/sku-1/series?from_ms=5&to_ms=5", None),
    ],
)
def test_nonsense_is_refused_with_what_and_why(
    centre: CentreProcess, method: str, path: str, body: dict[str, object] | None
) -> None:
    content = None if body is None else json.dumps(body)
    reply = centre.client().request(
        method, path, content=content, headers={"Content-Type": "application/json"}
    )
    assert is_problem(reply, 422)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff", b'{"a":NaN}']
)
def test_a_body_that_is_no_json_object_is_refused(centre: CentreProcess, content: bytes) -> None:
    reply = centre.client().put(
        f"/v1/stores/{STORE}/items", content=content, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code in (400, 422)
    assert is_problem(reply, reply.status_code)


def test_unknown_things_are_404(centre: CentreProcess) -> None:
    admin = centre.client()
    for path in (
        "/v1/stores/nowhere",
        "/v1/stores/nowhere/skus",
        f"/v1/stores/{STORE}/skus/none",
        "/v1/triggers/none",
        "/v1/none",
    ):
        assert is_problem(admin.get(path), 404)
    assert is_problem(admin.put("/v1/stores/nowhere/items", json={"items": []}), 404)
    assert is_problem(admin.delete("/v1/webhooks/none"), 404)
    assert is_problem(admin.post("/v1/triggers/none/approve", json={"who": "x"}), 404)


# ---- webhooks ----

_next = iter(range(1, 60))


def fire(gateway: Gateway) -> str:
    """Makes one trigger of a SKU that has none. Returns the SKU."""
    number = next(_next)
    gateway.send(proposal(number))
    return f"sku-{number}"


def subscribe(centre: CentreProcess, url: str) -> tuple[httpx.Client, str]:
    system = centre.client("system")
    return system, post(system, "/v1/webhooks", {"url": url}, 201)["webhook"]


def view(system: httpx.Client, webhook: str) -> dict[str, object]:
    found = [row for row in get(system, "/v1/webhooks")["rows"] if row["webhook"] == webhook]
    return dict(found[0])


def test_a_webhook_is_tried_again_under_the_same_id_until_it_is_taken(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    receiver.answers = [500, (503, {"Retry-After": "0"}), 302]
    system, webhook = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_until(lambda: len(receiver.calls) == 4)
    centre.wait_until(lambda: view(system, webhook)["delivered_total"] == 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert len({body for _, body in receiver.calls}) == 1
    assert view(system, webhook)["failed_total"] == 3
    assert system.delete(f"/v1/webhooks/{webhook}").status_code == 204


def test_what_the_doors_turn_away_is_counted_for_hq(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    hq = centre.client("hq")
    before = get(hq, "/v1/doors")
    stranger = {"Authorization": "Bearer slt_bad"}
    assert is_problem(httpx.get(f"{centre.url}/v1/stores", headers=stranger, timeout=30), 401)
    assert is_problem(centre.client("member-app").get("/v1/stores"), 403)
    assert is_problem(gateway.post(b"no batch", ""), 422)
    assert is_problem(gateway.post(b"x" * 9_000_000, ""), 413)
    assert is_problem(hq.get("/v1/overview", params={"from_ms": "soon"}), 422)
    receiver.answers = [500]
    system, webhook = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_until(lambda: view(system, webhook)["delivered_total"] == 1)
    doors = get(hq, "/v1/doors")
    names = ("refused_tokens_total", "bad_batches_total", "bad_requests_total")
    assert [doors[name] - before[name] for name in names] == [2, 2, 1]
    assert doors["since_ms"] == START_MS
    [hook] = [row for row in doors["webhooks"] if row["webhook"] == webhook]
    assert (hook["url"], hook["failed_total"]) == (receiver.url, 1)
    assert is_problem(system.get("/v1/doors"), 403)
    system.delete(f"/v1/webhooks/{webhook}")


def test_gone_for_good_disables_the_endpoint(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    receiver.answers = [410]
    system, webhook = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_until(lambda: view(system, webhook)["enabled"] is False)
    fire(gateway)
    centre.wait_quiet()
    assert len(receiver.calls) == 1
    assert view(system, webhook)["given_up_total"] == 1


def test_what_is_given_up_is_counted_and_can_be_asked_for_again(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    receiver.answers = [500] * 8
    system, webhook = subscribe(centre, receiver.url)
    end = get(system, "/v1/feed", limit=500)["next"]
    fire(gateway)
    fire(gateway)
    centre.wait_until(lambda: view(system, webhook)["given_up_total"] == 2)
    lost = view(system, webhook)
    assert (lost["pending"], lost["failed_total"], lost["given_up_from"]) == (0, 8, end + 1)
    assert "webhook deliveries given up" in (centre.folder / "log").read_text()
    replayed = post(system, f"/v1/webhooks/{webhook}/replay?after={end}", {})
    assert replayed["accepted"] == 2
    centre.wait_until(lambda: view(system, webhook)["delivered_total"] == 2)
    again = view(system, webhook)
    assert (again["given_up_total"], again["given_up_from"]) == (2, None)
    system.delete(f"/v1/webhooks/{webhook}")


def test_a_redirect_is_not_followed(centre: CentreProcess, gateway: Gateway, receiver: Receiver) -> None:
    elsewhere = Receiver()
    receiver.answers = [(307, {"Location": elsewhere.url})] * 4
    system, webhook = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_until(lambda: len(receiver.calls) == 4)
    centre.wait_quiet()
    assert elsewhere.calls == []
    assert view(system, webhook)["last_status"] == "HTTP 307"
    system.delete(f"/v1/webhooks/{webhook}")
    elsewhere.close()


def test_a_dead_and_a_slow_endpoint_do_not_delay_a_healthy_one(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    slow = Receiver()
    slow.may_answer.clear()
    dead = Receiver()
    dead.close()
    system, slow_id = subscribe(centre, slow.url)
    _, dead_id = subscribe(centre, dead.url)
    _, healthy_id = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_until(lambda: (slow.asked, len(receiver.calls)) == (1, 1))
    assert view(system, healthy_id)["failed_total"] == 0
    assert view(system, slow_id)["failed_total"] == 0, "the slow one's first try is not over yet"
    assert slow.calls == []
    for webhook in (slow_id, dead_id, healthy_id):
        system.delete(f"/v1/webhooks/{webhook}")
    slow.may_answer.set()
    slow.close()


def test_a_kill_switch_for_nobody_is_refused(centre: CentreProcess) -> None:
    hq = centre.client("hq")
    for scope, target in (("store", "no-shop"), ("supplier", "typo-co"), ("supplier", "%"), ("store", "x\0")):
        switch = {"scope": scope, "target": target, "on": True, "who": "Ann"}
        assert is_problem(hq.put("/v1/kill-switches", json=switch), 404)
    assert get(hq, "/v1/kill-switches")["rows"] == []
    switch = {"scope": "supplier", "target": "depot", "on": True, "who": "Ann"}
    put(hq, "/v1/kill-switches", switch)
    put(hq, "/v1/kill-switches", {**switch, "on": False})
    assert is_problem(hq.post("/v1/triggers/none/approve", content=(b"x" * 9_000 for _ in range(200))), 413)


def test_a_cursor_of_another_ledger_is_told_where_the_feed_ends(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    system, webhook = subscribe(centre, receiver.url)
    fire(gateway)
    centre.wait_quiet()
    end = get(system, "/v1/feed", limit=500)["next"]
    for reply in (
        system.get("/v1/feed", params={"after": end + 1, "wait": 20}),
        system.post(f"/v1/webhooks/{webhook}/replay?after={end + 1}"),
    ):
        assert is_problem(reply, 409)
        assert f"the feed's end, {end}:" in reply.json()["detail"]
    system.delete(f"/v1/webhooks/{webhook}")


def test_replay_sends_the_same_events_again(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    system, webhook = subscribe(centre, receiver.url)
    after = max([row["position"] for row in get(system, "/v1/feed", limit=500)["rows"]], default=0)
    fire(gateway)
    centre.wait_until(lambda: len(receiver.calls) == 1)
    assert post(system, f"/v1/webhooks/{webhook}/replay?after={after}", {})["accepted"] == 1
    centre.wait_until(lambda: len(receiver.calls) == 2)
    assert receiver.calls[0][1] == receiver.calls[1][1]
    system.delete(f"/v1/webhooks/{webhook}")


def signs(call: tuple[dict[str, str], bytes], secret: str) -> bool:
    """By PyPI's `standardwebhooks`, which shares no code with ours."""
    headers, body = call
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_secret_is_rotated_without_a_pause_and_the_old_one_ends(
    centre: CentreProcess, gateway: Gateway, receiver: Receiver
) -> None:
    system = centre.client("system")
    made = post(system, "/v1/webhooks", {"url": receiver.url}, 201)
    fire(gateway)
    centre.wait_until(lambda: len(receiver.calls) == 1, 60)
    rotated = post(system, f"/v1/webhooks/{made['webhook']}/secret", {"keep_old_s": 3600})
    old, new = made["secret"], rotated["secret"]
    assert signs(receiver.calls[0], old)
    assert not signs(receiver.calls[0], new)

    def last_is_signed_by(expected: tuple[bool, bool]) -> bool:
        """The sender hears of a new secret within a moment: events are sent until it has."""
        known = len(receiver.calls)
        post(system, f"/v1/webhooks/{made['webhook']}/replay", {})
        centre.wait_until(lambda: len(receiver.calls) > known, 60)
        return (signs(receiver.calls[-1], old), signs(receiver.calls[-1], new)) == expected

    centre.wait_until(lambda: last_is_signed_by((True, True)), 60)
    newest = post(system, f"/v1/webhooks/{made['webhook']}/secret", {"keep_old_s": 0})["secret"]
    centre.wait_until(lambda: last_is_signed_by((False, False)), 60)
    assert signs(receiver.calls[-1], newest)
    stranger = post(centre.client("member-app"), "/v1/webhooks", {"url": "http://127.0.0.1:9/"}, 201)[
        "webhook"
    ]
    assert is_problem(system.post(f"/v1/webhooks/{stranger}/secret", json={}), 404)
    system.delete(f"/v1/webhooks/{made['webhook']}")


def test_a_receiver_that_never_answers_is_given_up_after_the_timeout(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The centre of this test waits a second, and tries again for longer than a busy machine needs."""
    hasty = CentreProcess(
        tmp_path,
        auto_approve_below_cents=1_000_000,
        webhook_timeout_s=1.0,
        retry_schedule_s=[0.0] + [1.0] * 49,
    )
    hasty.command("init")
    hasty.start()
    set_up_store(hasty.client())
    receiver.may_answer.clear()
    system, webhook = subscribe(hasty, receiver.url)
    Gateway(hasty, hasty.add_gateway()).send(proposal(1))
    hasty.wait_until(lambda: "time" in str(view(system, webhook)["last_status"]).lower())
    assert receiver.calls == []
    receiver.may_answer.set()
    hasty.wait_until(lambda: view(system, webhook)["delivered_total"] == 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    kill_leftover(hasty.process)


def test_the_feed_waits_for_what_comes(centre: CentreProcess, gateway: Gateway) -> None:
    system = centre.client("system")
    after = get(system, "/v1/feed", limit=500)["next"]
    began = time.monotonic()
    assert get(system, "/v1/feed", after=after, wait=0.5) == {"rows": [], "next": after}
    assert time.monotonic() - began >= 0.5
    sku = fire(gateway)
    rows = get(system, "/v1/feed", after=after, wait=10)["rows"]
    assert [row["event"]["data"]["sku"] for row in rows] == [sku]


def test_private_addresses_are_refused_unless_allowed(tmp_path: Path) -> None:
    strict = CentreProcess(tmp_path, allow_private_webhooks=False)
    strict.command("init")
    strict.start()
    system = strict.client("system")
    for host in (
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "2130706433",
    ):
        assert is_problem(system.post("/v1/webhooks", json={"url": f"http://{host}:80/"}), 422)
    kill_leftover(strict.process)


def test_the_ledger_is_its_owners_alone(centre: CentreProcess) -> None:
    files = list((centre.folder / "state").glob("ledger.sqlite3*"))
    assert files
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_a_bad_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    bad = CentreProcess(tmp_path, port="many")
    assert "port" in bad.command("check", code=78)
    elsewhere = CentreProcess(tmp_path, database_url="mysql://shelfloop@db/shelfloop")
    for command in ("check", "init", "run"):
        assert "database_url" in elsewhere.command(command, code=78)
    never = CentreProcess(tmp_path)
    assert "init" in never.command("run", code=78)
    never.command("init")
    never.command("init")
    (tmp_path / "state" / "ledger.sqlite3").write_bytes(
        b"this is no database at all, but long enough to look" * 100
    )
    assert "ledger" in never.command("run", code=78)


def test_switched_prices_and_swapped_facings_make_new_versions_only_when_they_change(
    centre: CentreProcess,
) -> None:
    admin = centre.client()
    prices = {"prices": [{"sku": "sku-1", "price_cents": 300, "from_ms": START_MS + 1}]}
    first = put(admin, f"/v1/stores/{STORE}/prices", prices)["version"]
    assert put(admin, f"/v1/stores/{STORE}/prices", prices)["version"] == first
    assert put(admin, f"/v1/stores/{STORE}/prices", {"prices": []})["version"] == first + 1
