"""Settings, the command, the guard at the door and the CSV files."""

import asyncio

import httpx
import pytest
from fake_central import FakeCentral
from fake_shops import TOKEN
from fastapi import FastAPI
from hq_rig import serving

from hq.__main__ import main
from hq.central_api import CentralApi
from hq.decisions import Decisions
from hq.desk import Desk
from hq.export import csv_value, register_exports
from hq.origin_guard import OriginGuard, allowed_names, host_name
from hq.settings import HqSettings
from runtime.clock import SystemClock


@pytest.fixture
def config(tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    def write(**changes):
        values = {"central_url": "http://127.0.0.1:1", "token_file": str(tmp_path / "token")} | changes
        path = tmp_path / "hq.toml"
        path.write_text(
            "\n".join(f"{name} = {value!r}" for name, value in values.items() if value is not None)
        )
        return path

    return write


def test_a_minimal_file_is_enough(config, capsys):
    assert main(["check", "--config", str(config())]) == 0
    assert "settings are good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"central_url": None}, "central_url"),
        ({"central_url": "ftp://x"}, "central_url"),
        ({"port": 70_000}, "port"),
        ({"colour": "red"}, "colour"),
        ({"token_file": "/nowhere/token"}, "token_file"),
        ({"refresh_s": 0}, "refresh_s"),
        ({"host": "0.0.0.0"}, "token_file opens the pages without a log-in"),
        ({"host": "::"}, "goes with a loopback address"),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named(config, capsys, changes, named):
    assert main(["check", "--config", str(config(**changes))]) == 78
    assert named in capsys.readouterr().err


def test_with_log_ins_the_pages_may_listen_everywhere_and_without_only_here(config):
    for changes in ({"host": "0.0.0.0", "token_file": None}, {"host": "::1"}, {"host": "localhost"}):
        assert main(["check", "--config", str(config(**changes))]) == 0


def test_a_clock_file_that_is_none_stops_the_start(config, tmp_path, capsys):
    assert main(["run", "--config", str(config(clock_file=str(tmp_path / "no-clock")))]) == 78
    assert "clock_file" in capsys.readouterr().err


def test_every_setting_says_what_it_means():
    assert all(field.description for field in HqSettings.model_fields.values())


def test_the_host_is_read_from_its_header():
    assert host_name("Example.org:8702") == "example.org"
    assert host_name("[::1]:8702") == "::1"
    assert host_name("") == ""
    assert host_name("[broken") == ""


def ask(web, *paths, headers=None):
    """The answers of an application, all asked on one event loop."""

    async def go():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(web), base_url="http://127.0.0.1:8702"
        ) as client:
            return [await client.get(path, headers=headers or {}) for path in paths]

    return asyncio.run(asyncio.wait_for(go(), 30))


def guarded(*extra, host="127.0.0.1", headers=None):
    web = FastAPI()
    web.get("/")(lambda: "hello")
    web.add_middleware(OriginGuard, allowed_hosts=allowed_names(host, list(extra)))
    return ask(web, "/", headers=headers)[0]


def test_a_foreign_name_that_points_here_gets_nothing():
    assert guarded().status_code == 200
    refused = guarded(headers={"host": "evil.example"})
    assert refused.status_code == 403
    assert "allowed_hosts" in refused.text
    assert guarded("hq.example.org", headers={"host": "hq.example.org"}).status_code == 200
    assert guarded(host="0.0.0.0", headers={"host": "anything.example"}).status_code == 200


def test_another_web_page_gets_nothing():
    assert guarded(headers={"origin": "http://evil.example"}).status_code == 403
    assert guarded(headers={"origin": "null"}).status_code == 403
    assert guarded(headers={"origin": "http://127.0.0.1:8702"}).status_code == 200


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("@x", "'@x"),
        ("-x", "'-x"),
        ("milk", "milk"),
        (-3, -3),
        (None, ""),
        (0, 0),
        ([1], "[1]"),
    ],
)
def test_a_spreadsheet_runs_nothing_of_ours(value, shown):
    assert csv_value(value) == shown


def exported(url, *paths):
    web = FastAPI()
    register_exports(web, Desk(CentralApi(url, TOKEN), Decisions(0), SystemClock(), 3.0))
    return ask(web, *(f"/export/{path}" for path in paths))


def test_a_csv_has_all_pages_of_the_list():
    with serving(FakeCentral(sku_count=1203)) as url:
        (answer,) = exported(url, "skus.csv?store=s367")
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="shelfloop-skus-s367.csv"' in answer.headers["content-disposition"]
    assert len(lines) == 1204
    assert lines[0].startswith("store,sku,name,category,price_cents,on_hand_units")


def test_a_csv_of_orders_shops_and_quarantine():
    with serving(FakeCentral()) as url:
        orders, shops, quarantine = exported(url, "orders.csv", "shops.csv", "quarantine.csv")
    assert len(orders.text.splitlines()) == 1 + 16
    assert len(shops.text.splitlines()) == 1 + 3
    assert "GTIN 952123 has 6 digits" in quarantine.text


def test_no_centre_is_a_sentence_and_not_an_empty_file():
    (answer,) = exported("http://127.0.0.1:9", "shops.csv")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
