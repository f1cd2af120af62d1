"""A bundle's way from the centre's door to a shop's gateway and back, with a real centre, and what HQ decides on the way."""

import base64
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from central_rig import START_MS, CentreProcess, Gateway, kill_leftover
from central_rows import alert
from ledger_kinds import KINDS, SQLITE, database
from test_central_loop import get, set_up_store

from contract.codec import batch_receipt_from_bytes
from contract.records import ModelScore, ScoreRole, StagingRecord, StagingState

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))

from edge_bundles import PUBLIC, ref, sha_of, variant

STORES = ("store-1", "store-2", "store-3")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {name: variant(folder / name, name, scale=scale) for name, scale in (("one", 1.0), ("two", 1.01))}


@contextlib.contextmanager
def running_centre(tmp_path, folders, **settings):
    key = tmp_path / "public.pem"
    key.write_bytes(PUBLIC)
    centre = CentreProcess(tmp_path, bundle_public_key_file=str(key), **settings)
    centre.command("init")
    centre.start()
    admin = centre.client()
    for store in STORES:
        set_up_store(admin, store)
    gateways = [
        Gateway(centre, centre.add_gateway(store, f"gw-{store}"), store=store, name=f"gw-{store}")
        for store in STORES
    ]

    class Rig:
        pass

    rig = Rig()
    rig.centre, rig.admin, rig.hq, rig.gateways, rig.folders = (
        centre,
        admin,
        centre.client("hq"),
        gateways,
        folders,
    )
    for gateway in gateways:
        gateway.send()
    try:
        yield rig
    finally:
        kill_leftover(centre.process)


@pytest.fixture
def rig(tmp_path, folders, request):
    kind = getattr(request, "param", SQLITE)
    with database(kind) as url, running_centre(tmp_path, folders, database_url=url) as rig:
        yield rig


@pytest.fixture(scope="module")
def calm(tmp_path_factory, folders):
    """A centre for tests that begin no roll-out."""
    with running_centre(tmp_path_factory.mktemp("calm"), folders) as rig:
        yield rig


def body_of(folder):
    return {"files": {path.name: base64.b64encode(path.read_bytes()).decode() for path in folder.iterdir()}}


def put_bundle(rig, name):
    return rig.admin.put(f"/v1/bundles/{sha_of(rig.folders[name])}", json=body_of(rig.folders[name]))


def begin(rig, name, percent, **more):
    post = {"sha256": sha_of(rig.folders[name]), "percent": percent, "who": "j.doe", **more}
    return rig.hq.post("/v1/rollouts", json=post)


def act(rig, number, action, **more):
    return rig.hq.post(f"/v1/rollouts/{number}/{action}", json={"who": "j.doe", **more})


def ask(gateway):
    """What the reply brings, by kind; the gateway then has it."""
    reply = batch_receipt_from_bytes(gateway.post(gateway.body([])).content)
    found = {document.kind: document for document in reply.documents}
    for kind, document in found.items():
        gateway.have[f"bundle:{document.sha256}" if kind == "bundle" else kind] = document.version
    return found


def said(rig, folder, state, at_ms=START_MS, reason=""):
    return StagingRecord(
        seq=1,
        at_ms=at_ms,
        what="bundle",
        name=ref(folder)["name"],
        state=state,
        reason=reason,
        sha256=sha_of(folder),
    )


def test_a_bundle_travels_with_the_reply_once_and_a_wider_share_reaches_more_shops(rig):
    assert put_bundle(rig, "one").status_code == 200
    assert put_bundle(rig, "one").json()["name"] == "test@one"
    view = begin(rig, "one", 0).json()
    assert (view["stores"], view["state"], view["by_state"]) == (0, "running", {})
    assert all("bundle" not in ask(gateway) for gateway in rig.gateways)
    assert act(rig, 1, "widen", percent=100).json()["by_state"] == {"waiting": 3}
    for gateway in rig.gateways:
        found = ask(gateway)
        assert found["models"].current.sha256 == found["bundle"].sha256 == sha_of(rig.folders["one"])
        assert {
            name: base64.b64decode(text) for name, text in found["bundle"].files.items()
        } == {path.name: path.read_bytes() for path in rig.folders["one"].iterdir()}  # fmt: skip
        assert ask(gateway) == {}
    assert act(rig, 1, "widen", percent=50).status_code == 409
    rig.gateways[0].send(said(rig, rig.folders["one"], StagingState.GOOD))
    assert get(rig.hq, "/v1/rollouts/1")["by_state"] == {"good": 1, "waiting": 2}
    back = act(rig, 1, "roll-back", reason="a test").json()
    assert back["state"] == "rolled-back"
    assert all(ask(gateway)["models"].current is None for gateway in rig.gateways)
    audit = [row["action"] for row in get(rig.hq, "/v1/audit", limit=50)["rows"] if row["who"] == "j.doe"]
    assert audit == ["rollout-roll-back", "rollout-widen", "rollout-live"]


@pytest.mark.parametrize("rig", KINDS, indirect=True)
def test_shops_that_refuse_halt_a_roll_out_and_hq_sees_why(rig):
    put_bundle(rig, "one")
    begin(rig, "one", 100, max_refusals=2)
    for gateway in rig.gateways[:2]:
        ask(gateway)
    why = "coverage: 61 % of 420 realised SKU-days lie in its 95 % band"
    rig.gateways[0].send(said(rig, rig.folders["one"], StagingState.REFUSED, reason=why))
    rig.centre.advance_to(START_MS + 120_000)
    assert get(rig.hq, "/v1/rollouts/1")["state"] == "running"
    rig.gateways[1].send(said(rig, rig.folders["one"], StagingState.REVERTED, START_MS + 120_000, reason=why))
    rig.centre.advance_to(START_MS + 240_000)
    rig.centre.wait_quiet()  # on PostgreSQL each shop's document is a job of its own after the halt
    view = get(rig.hq, "/v1/rollouts/1")
    assert (view["state"], view["who"]) == ("halted", "the centre")
    assert view["refusals"] == [f"store-2: {why}", f"store-1: {why}"]
    assert [row["state"] for row in get(rig.hq, "/v1/rollouts/1/stores")["rows"]] == [
        "refused",
        "reverted",
        "waiting",
    ]
    assert ask(rig.gateways[2]).get("bundle") is None  # it had not got it yet
    assert act(rig, 1, "resume", reason="they were out of date").json()["state"] == "running"
    rig.centre.advance_to(START_MS + 360_000)
    assert (
        get(rig.hq, "/v1/rollouts/1")["state"] == "running"
    )  # what a person resumed is not halted for old news
    assert "bundle" in ask(rig.gateways[2])
    assert act(rig, 1, "promote").status_code == 409


def day_scores(rig, day, pinball, skus=60, name="two"):
    common = {"at_ms": START_MS, "day": f"2017-09-0{day}", "skus": skus, "units": 300, "mean_units": 290.0,
              "inside_80": 50, "inside_95": 58}  # fmt: skip
    return (
        ModelScore(seq=1, bundle="demo@1", role=ScoreRole.CURRENT, pinball=100.0, **common),
        ModelScore(seq=1, bundle=f"test@{name}", sha256=sha_of(rig.folders[name]), role=ScoreRole.CANDIDATE,
                   pinball=pinball, **common),
    )  # fmt: skip


def test_a_shadow_is_promoted_on_evidence_or_with_a_reason(rig):
    put_bundle(rig, "two")
    assert begin(rig, "two", 100, mode="shadow").json()["advice"].startswith("no day was scored")
    assert ask(rig.gateways[0])["models"].candidate.name == "test@two"
    assert begin(rig, "two", 100, mode="shadow").status_code == 409
    rig.gateways[0].send(*day_scores(rig, 1, 90.0), *day_scores(rig, 2, 92.0))
    refused = act(rig, 1, "promote")
    assert refused.status_code == 409
    assert "2 days with 120 SKU-days are too few" in refused.json()["detail"]
    rig.gateways[1].send(*day_scores(rig, 2, 97.0), *day_scores(rig, 3, 93.0))
    view = get(rig.hq, "/v1/rollouts/1")
    assert view["may_promote"] is True
    assert view["candidate"]["wql"] == pytest.approx(2 * 372 / (9 * 1200), abs=1e-4)
    assert view["current"]["wql"] == pytest.approx(2 * 400 / (9 * 1200), abs=1e-4)
    assert (view["candidate"]["stores"], view["candidate"]["days"], view["candidate"]["sku_days"]) == (
        2,
        3,
        240,
    )
    assert [day["day"] for day in view["days"]] == ["2017-09-01", "2017-09-02", "2017-09-03"]
    live = act(rig, 1, "promote", percent=100).json()
    assert (live["rollout"], live["mode"], live["percent"]) == (2, "live", 100)
    found = ask(rig.gateways[0])["models"]
    assert (found.current.name, found.candidate) == ("test@two", None)
    assert get(rig.hq, "/v1/rollouts/1")["state"] == "promoted"
    # A worse one needs an override, and that a reason.
    put_bundle(rig, "one")
    number = begin(rig, "one", 100, mode="shadow").json()["rollout"]
    for day in (4, 5, 6, 7):
        rig.gateways[0].send(*day_scores(rig, day, 130.0, name="one"))
    assert "worse: WQL" in act(rig, number, "promote").json()["detail"]
    assert act(rig, number, "promote", override=True).status_code == 409
    assert act(rig, number, "promote", override=True, reason="holiday week").json()["mode"] == "live"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda files: files.update({"demand.onnx": "AAAA"}), "files: its sha256 is"),
        (lambda files: files.update({"manifest.sig": base64.b64encode(b"A" * 88).decode()}), "signature"),
        (lambda files: files.update({"manifest.json": "not base64!"}), "files.manifest.json is no base64"),
    ],
)
def test_a_bundle_that_a_gateway_would_refuse_is_refused_at_the_door(calm, change, says):
    body = body_of(calm.folders["one"])
    change(body["files"])
    answer = calm.admin.put(f"/v1/bundles/{sha_of(calm.folders['one'])}", json=body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert begin(calm, "one", 10).status_code == 404


def test_a_bundle_under_another_name_is_refused(calm):
    answer = calm.admin.put(f"/v1/bundles/{'0' * 64}", json=body_of(calm.folders["one"]))
    assert answer.status_code == 422
    assert "the path says 000000000000" in answer.json()["detail"]


def test_a_new_shop_and_a_restarted_centre_follow_the_roll_outs(rig):
    put_bundle(rig, "one")
    begin(rig, "one", 100)
    set_up_store(rig.admin, "store-9")
    rig.centre.advance_to(START_MS + 120_000)
    rig.centre.wait_quiet()
    late = Gateway(rig.centre, rig.centre.add_gateway("store-9", "gw-9"), store="store-9", name="gw-9")
    assert ask(late)["bundle"].name == "test@one"
    rig.centre.kill()
    rig.centre.start()
    late.have.clear()
    assert ask(late)["bundle"].name == "test@one"


def test_a_configuration_reaches_the_gateway_and_a_bad_one_is_named(calm):
    put = {"rules": {"low_stock": {"raise_days": 2.0, "clear_days": 4.0}}}
    first = calm.hq.put("/v1/stores/store-1/config", json=put).json()
    assert first["version"] == calm.hq.put("/v1/stores/store-1/config", json=put).json()["version"]
    assert ask(calm.gateways[0])["config"].rules.low_stock.raise_days == 2.0
    assert "config" not in ask(calm.gateways[0])
    bad = calm.hq.put("/v1/stores/store-1/config", json={"rules": {"low_stock": {"raise_days": 9.0}}})
    assert bad.status_code == 422
    assert "it must be above raise_days, 9.0" in json.dumps(bad.json())
    assert calm.hq.put("/v1/stores/nowhere/config", json=put).status_code == 404


def test_an_alert_is_acknowledged_at_hq_and_in_the_shop(calm):
    gateway = calm.gateways[0]
    gateway.send(alert("cold-chain", "fridge-1"), alert("low-stock", "sku-1"))
    note = {"store": "store-1", "code": "cold-chain", "subject": "fridge-1", "who": "J. Doe"}
    for accepted in (1, 1):
        assert calm.hq.post("/v1/alerts/acknowledge", json=note).json()["accepted"] == accepted
    (ack,) = ask(gateway)["acks"].acks
    assert (ack.code, ack.raised_ms, ack.who) == ("cold-chain", START_MS, "J. Doe")
    gateway.send(alert("low-stock", "sku-1", acknowledged_by="M. Keeper", at_ms=START_MS + 1000))
    rows = {row["code"]: row for row in get(calm.hq, "/v1/alerts", open=True)["rows"]}
    assert {code: row["acknowledged_by"] for code, row in rows.items()} == {
        "cold-chain": "J. Doe", "low-stock": "M. Keeper",
    }  # fmt: skip
    gateway.send(alert("cold-chain", "fridge-1", cleared=True, at_ms=START_MS + 2000))
    gateway.send(alert("cold-chain", "fridge-1", at_ms=START_MS + 3000))
    calm.centre.advance_to(START_MS + 4000)
    (again,) = [row for row in get(calm.hq, "/v1/alerts", open=True)["rows"] if row["code"] == "cold-chain"]
    assert again["acknowledged_by"] == ""
    assert calm.hq.post("/v1/alerts/acknowledge", json={**note, "subject": "nobody"}).json()["accepted"] == 0


def test_a_bundle_is_published_by_command(calm, tmp_path):
    key, token = tmp_path / "public.pem", tmp_path / "token"
    key.write_bytes(PUBLIC)
    token.write_text(calm.centre.token("system"))

    def publish(folder, url=calm.centre.url):
        words = [
            "publish",
            str(folder),
            "--public-key",
            str(key),
            "--central",
            url,
            "--token-file",
            str(token),
        ]
        return subprocess.run(
            [sys.executable, "-m", "models", *words], check=False, capture_output=True, text=True, timeout=60
        )

    done = publish(calm.folders["two"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "test@two" in [row["name"] for row in get(calm.hq, "/v1/bundles")["rows"]]
    token.write_text("slt_nobody")
    done = publish(calm.folders["two"])
    assert done.returncode == 1
    assert "the centre answers 401" in done.stderr
    done = publish(calm.folders["two"], "http://127.0.0.1:9")
    assert "is the centre up" in done.stderr
