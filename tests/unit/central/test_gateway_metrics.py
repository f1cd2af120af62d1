"""What the centre says of gateways and of itself to monitors: signs as figures, its own trouble on /healthz."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from central.api.app import make_app
from central.auth import Authority
from central.centre import Centre
from central.ledger.engine import Ledger
from central.metrics import SIGN_CODES, metrics_from
from central.settings import CentralSettings


class Clock:
    def now_ms(self):
        return 1_000


def test_signs_of_gateways_are_figures_whose_labels_are_known_beforehand():
    report = {"backlog": 0, "now_ms": 0, "problems": [], "counters": {}}
    text = metrics_from(report, "1.0", {"twin": 2, "disk-stalls": 1, "made up outside": 9}).decode()
    [family] = [
        one for one in text_string_to_metric_families(text) if one.name == "shelfloop_central_gateways"
    ]
    found = {sample.labels["sign"]: sample.value for sample in family.samples}
    assert set(found) == set(SIGN_CODES)
    assert (found["twin"], found["disk-stalls"], found["silent"]) == (2, 1, 0)


def test_a_centre_whose_ledger_hangs_says_so_to_whoever_asks(tmp_path):
    settings = CentralSettings(state_dir=tmp_path)
    ledger = Ledger(settings.url)
    centre = Centre(ledger, settings, Clock())
    app = make_app(centre, Authority(ledger))

    async def health():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:
            return (await client.get("/healthz")).json()

    assert asyncio.run(health())["status"] == "ok"
    centre.problems = lambda: ["the ledger has worked nothing off for 42 s: its disk or database may hang"]
    troubled = asyncio.run(health())
    assert (troubled["status"], len(troubled["problems"])) == ("troubled", 1)
    ledger.close()
