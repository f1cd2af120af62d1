"""A real centre, a real gateway: a bundle is rolled out, tried, scored, taken back; an alert is noted on both sides."""

import base64
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_rig import centre_and_gateway
from central_rig import START_MS
from edge_rig import Till, wait_for
from test_central_loop import get

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))

from edge_bundles import sha_of, variant


@pytest.fixture
def rig(tmp_path):
    with contextlib.ExitStack() as stack:
        centre, gateway, broker = centre_and_gateway(stack, tmp_path, store={})
        fridge = Till(broker.port, device="fridge-1")
        stack.callback(fridge.stop)

        class Rig:
            pass

        rig = Rig()
        rig.centre, rig.gateway, rig.fridge, rig.folder = centre, gateway, fridge, tmp_path
        rig.admin, rig.hq = centre.client(), centre.client("hq")
        yield rig


def put_bundle(rig, name, **changes):
    folder = variant(rig.folder / name, name, **changes)
    files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in folder.iterdir()}
    answer = rig.admin.put(f"/v1/bundles/{sha_of(folder)}", json={"files": files})
    assert answer.status_code == 200, answer.text
    return sha_of(folder)


def rollout(rig, sha256, **more):
    post = {"sha256": sha256, "percent": 100, "who": "j.doe", "reason": "a test", **more}
    return rig.hq.post("/v1/rollouts", json=post).json()["rollout"]


def test_a_bundle_goes_out_is_taken_back_and_a_shadow_stays_in_the_shadow(rig):
    first = rig.gateway.status()["bundle"]
    number = rollout(rig, put_bundle(rig, "one"))
    wait_for(lambda: rig.gateway.status()["bundle"] == "test@one", "the bundle in the shop")
    wait_for(lambda: get(rig.hq, f"/v1/rollouts/{number}")["by_state"] == {"applied": 1}, "its news at HQ")
    assert rig.hq.post(f"/v1/rollouts/{number}/roll-back", json={"who": "j.doe"}).status_code == 200
    wait_for(lambda: rig.gateway.status()["bundle"] == first, "the bundle of before")
    shadow = rollout(rig, put_bundle(rig, "two", scale=1.02), mode="shadow")
    wait_for(lambda: get(rig.hq, f"/v1/rollouts/{shadow}")["by_state"] == {"shadow": 1}, "the candidate")
    assert rig.gateway.status()["bundle"] == first


def test_a_warm_refrigerator_is_noted_in_the_shop_and_hq_knows_by_whom(rig):
    limits = {"devices": [{"device": "fridge-1", "min_c": 0, "max_c": 5}], "after_min": 0}
    put = rig.hq.put("/v1/stores/store-1/config", json={"rules": {"cold_chain": limits}})
    assert put.status_code == 200
    wait_for(lambda: rig.gateway.status()["documents"].get("config"), "the configuration in the shop")
    rig.fridge.send("heartbeat", START_MS, keep=False, uptime_ms=1, temperature_c=9.5)

    def warm():
        rows = get(rig.hq, "/v1/alerts", open=True)["rows"]
        return next((row for row in rows if row["code"] == "cold-chain"), None)

    alert = wait_for(warm, "the alert at HQ")
    assert (alert["subject"], alert["severity"], alert["acknowledged_by"]) == ("fridge-1", "critical", "")
    words = [
        "acknowledge",
        "cold-chain",
        "fridge-1",
        "--who",
        "M. Keeper",
        "--config",
        str(rig.gateway.config),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "cold-chain of fridge-1: noted\n"), done.stderr
    wait_for(lambda: warm()["acknowledged_by"] == "M. Keeper", "the note at HQ")
