"""Who may do what at the centre: every route by every kind of caller, and nobody sees a store out of reach."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from central_rig import STORE, CentreProcess, Gateway, kill_leftover
from central_rows import proposal, receipt
from test_central_doors import is_problem
from test_central_loop import get, set_up_store

import contract.api
from central.access import Reach
from central.ledger.engine import Ledger
from central.settings import CentralSettings
from central.setup import create_token, make_link, put_person, remove_person, revoke_token, who_may
from runtime.errors import OperatorError

OTHER = "store-2"
PASSWORD = "three words and more"
ROLES = {"s": "replenishment", "h": "hq", "r": "region", "t": "store", "m": "member-app", "a": "admin"}
REACH = {"r": Reach(regions=("north",)), "t": Reach(stores=(STORE,))}
ROUTE = re.compile(r"^ {4}(GET|PUT|POST|DELETE) +(/\S*?)(?:\?\S*)? +((?:[ghsrtm*-] ?)+)(?: |$)", re.MULTILINE)
METHODS_WITH_BODY = ("POST", "PUT")


def documented() -> dict[tuple[str, str], set[str]]:
    """(method, path) to the letters of the callers it is open to, as contract.api tells other programmers."""
    table = {}
    for method, path, letters in ROUTE.findall(contract.api.__doc__):
        allowed = set(letters.replace(" ", ""))
        if allowed == {"*"}:
            allowed = set("ghsrtm")
        table[method, path] = allowed if allowed in ({"g"}, {"-"}) else allowed | {"a"}
    return table


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentreProcess]:
    process = CentreProcess(tmp_path_factory.mktemp("access"), auto_approve_below_cents=0)
    process.command("init")
    process.start()
    admin = process.client()
    for store, region in ((STORE, "north"), (OTHER, "south")):
        set_up_store(admin, items=5, store=store)
        profile = {"name": f"Shop {store}", "timezone": "America/New_York", "currency": "USD", "hours": []}
        assert admin.put(f"/v1/stores/{store}", json={**profile, "region": region}).is_success
        shop = Gateway(process, process.add_gateway(store, f"gw-{store}"), store=store, name=f"gw-{store}")
        shop.send(receipt(1), proposal(2))
    yield process
    kill_leftover(process.process)


def log_in(centre: CentreProcess, letter: str, name: str = "", reach: Reach | None = None) -> httpx.Client:
    """A person of the role, made and logged in."""
    name = name or f"the {ROLES[letter]} person"
    reach = reach or REACH.get(letter)
    put_person(CentralSettings.load(centre.config), name, ROLES[letter], PASSWORD, reach=reach)
    made = httpx.post(f"{centre.url}/v1/sessions", json={"name": name, "password": PASSWORD}, timeout=30)
    assert made.status_code == 201, made.text
    return bearer(centre, made.json()["token"])


def bearer(centre: CentreProcess, token: str) -> httpx.Client:
    return httpx.Client(base_url=centre.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def span(path: str, to_ms: int = 1) -> dict[str, int]:
    """The query of a route that wants a time."""
    return {"from_ms": 0, "to_ms": to_ms} if path.endswith(("/overview", "/hours", "/series")) else {}


def ask(client: httpx.Client, method: str, path: str) -> httpx.Response:
    url = path.replace("{store}", STORE).replace("{gateway}", "gw-1")
    url = re.sub(r"{\w+}", "nothing", url)
    body = {"json": {}} if method in METHODS_WITH_BODY else {}
    return client.request(method, url, params=span(path), **body)


def test_the_table_in_the_contract_names_every_route_that_is_served(centre: CentreProcess) -> None:
    paths = httpx.get(f"{centre.url}/openapi.json", timeout=30).json()["paths"]
    served = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert served == set(documented()), "contract/api/__init__.py lists each route with its callers"


@pytest.mark.parametrize("letter", ["-", "g", *ROLES])
def test_every_route_is_open_to_its_callers_and_to_no_other(centre: CentreProcess, letter: str) -> None:
    if letter == "-":
        client = httpx.Client(base_url=centre.url, timeout=30)
    elif letter == "g":
        client = bearer(centre, centre.add_gateway())
    else:
        client = log_in(centre, letter)
    for (method, path), allowed in sorted(documented().items()):
        if path == "/v1/sessions/mine" and letter != "-":
            continue  # it would end the session that asks; tested below
        status = ask(client, method, path).status_code
        if "-" in allowed:
            assert status not in (401, 403), f"{method} {path}: {status}"
        elif letter == "-":
            assert status == 401, f"{method} {path}: {status}"
        elif letter in allowed:
            assert status not in (401, 403, 500), f"{method} {path} by {letter}: {status}"
        else:
            assert status == 403, f"{method} {path} by {letter}: {status}"


@pytest.mark.parametrize("letter", ["h", "s"])
def test_a_token_of_one_store_is_kept_out_of_the_chains_routes(centre: CentreProcess, letter: str) -> None:
    scope = {"h": "hq", "s": "system"}[letter]
    settings = CentralSettings.load(centre.config)
    client = bearer(centre, create_token(settings, scope, f"one {scope}", reach=Reach(stores=(STORE,))))
    for path in ("/v1/campaigns", "/v1/doors"):
        assert is_problem(client.get(path), 403)
    for method, path in documented():
        if "{store}" in path:
            url = path.replace("{store}", OTHER).replace("{sku}", "sku-1")
            body = {"json": {}} if method in METHODS_WITH_BODY else {}
            assert is_problem(client.request(method, url, params=span(path), **body), 403)


@pytest.mark.parametrize("letter", ["t", "r", "h", "s"])
def test_nobody_reads_a_row_of_a_store_out_of_reach(centre: CentreProcess, letter: str) -> None:
    client = log_in(centre, letter, f"north {letter}", REACH.get(letter) or Reach(regions=("north",)))
    theirs = get(centre.client(), "/v1/triggers", store=OTHER)["rows"][0]["trigger"]
    seen = 0
    for (method, path), allowed in documented().items():
        if method != "GET" or letter not in allowed:
            continue
        url = path.replace("{store}", STORE).replace("{sku}", "sku-1").replace("{trigger}", theirs)
        reply = client.get(url, params=span(path, 4_000_000_000_000))
        if "{trigger}" in path:
            assert is_problem(reply, 404)
        elif reply.status_code != 403:
            seen += STORE in reply.text
            assert OTHER not in reply.text, path
        if (
            path in ("/v1/alerts", "/v1/accounting", "/v1/quarantine", "/v1/triggers", "/v1/audit")
            and letter != "s"
        ):
            assert is_problem(client.get(path, params={"store": OTHER}), 403)
    assert seen >= 4


def test_a_shops_team_decides_in_its_shop_alone_and_under_its_own_name(centre: CentreProcess) -> None:
    team = log_in(centre, "t", "Ann of shop 1")
    mine, theirs = (
        get(centre.client(), "/v1/triggers", store=store)["rows"][0]["trigger"] for store in (STORE, OTHER)
    )
    decision = {"who": "somebody else", "reason": "enough there"}
    assert is_problem(team.post(f"/v1/triggers/{theirs}/reject", json=decision), 404)
    assert team.post(f"/v1/triggers/{mine}/reject", json=decision).json()["state"] == "rejected"
    for switch in (
        {"scope": "chain"},
        {"scope": "supplier", "target": "s"},
        {"scope": "store", "target": OTHER},
    ):
        assert is_problem(team.put("/v1/kill-switches", json={**switch, "on": True, "who": "x"}), 403)
    switch = {"scope": "store", "target": STORE, "on": True, "who": "x", "reason": "stocktake"}
    assert team.put("/v1/kill-switches", json=switch).json()["who"] == "Ann of shop 1"
    team.put("/v1/kill-switches", json={**switch, "on": False})
    who = {row["who"] for row in get(team, "/v1/audit")["rows"] if row["subject"] == mine}
    assert who == {"Ann of shop 1"}


def test_a_feed_and_a_webhook_of_one_store_carry_that_store_alone(centre: CentreProcess) -> None:
    settings = CentralSettings.load(centre.config)
    south = bearer(centre, create_token(settings, "system", "south erp", reach=Reach(regions=("south",))))
    for store in (STORE, OTHER):
        for row in get(centre.client(), "/v1/triggers", store=store, state="proposed")["rows"]:
            centre.client().post(f"/v1/triggers/{row['trigger']}/approve", json={"who": "x"})
    centre.wait_quiet()
    rows = get(south, "/v1/feed", after=0, limit=500)["rows"]
    assert rows
    assert {row["event"]["data"]["store"] for row in rows} == {OTHER}
    status = {"revision": 1, "status": "acknowledged", "at_ms": 0}
    mine = get(centre.client(), "/v1/triggers", store=STORE)["rows"][0]["trigger"]
    assert is_problem(south.post(f"/v1/triggers/{mine}/statuses", json=status), 404)
    order = {"order": "1", "store": STORE, "sku": "sku-1", "quantity_units": 1, "at_ms": 0}
    assert is_problem(south.post("/v1/orders", json=order), 403)


def test_a_person_logs_in_is_known_and_logs_out(centre: CentreProcess) -> None:
    person = log_in(centre, "t", "Bob")
    me = get(person, "/v1/me")
    assert (me["name"], me["scope"], me["is_person"], me["stores"]) == ("Bob", "store", True, [STORE])
    assert 11 * 3_600_000 < me["expires_ms"] - time.time() * 1000 < 12.1 * 3_600_000
    assert person.delete("/v1/sessions/mine").status_code == 204
    assert is_problem(person.get("/v1/me"), 401)
    actions = [
        row["action"] for row in get(centre.client(), "/v1/audit", limit=500)["rows"] if row["who"] == "Bob"
    ]
    assert sorted(actions) == ["log-in", "log-out"]
    assert is_problem(centre.client("hq").delete("/v1/sessions/mine"), 422)


def test_wrong_names_and_passwords_are_answered_alike(centre: CentreProcess) -> None:
    log_in(centre, "h", "Cleo")
    url = f"{centre.url}/v1/sessions"
    replies = [
        httpx.post(url, json=attempt, timeout=30)
        for attempt in (
            {"name": "Cleo", "password": "wrong wrong wrong"},
            {"name": "Nobody", "password": PASSWORD},
        )
    ]
    assert [is_problem(reply, 401) for reply in replies] == [True, True]
    assert replies[0].text == replies[1].text
    assert is_problem(httpx.post(url, json={"name": "Cleo"}, timeout=30), 422)
    assert is_problem(httpx.post(url, json={"link": "sll_wrong"}, timeout=30), 401)
    assert is_problem(httpx.post(url, content=b" " * 5_000, timeout=30), 413)


def test_guessing_is_slowed_down_by_name_and_never_reaches_the_right_password(centre: CentreProcess) -> None:
    log_in(centre, "h", "Dora")
    statuses = []
    for _ in range(9):
        reply = httpx.post(
            f"{centre.url}/v1/sessions", json={"name": "Dora", "password": "guess guess guess"}, timeout=30
        )
        statuses.append(reply.status_code)
    assert set(statuses) == {401, 429}
    assert int(reply.headers["retry-after"]) >= 1
    right = httpx.post(f"{centre.url}/v1/sessions", json={"name": "Dora", "password": PASSWORD}, timeout=30)
    assert is_problem(right, 429)


def test_a_link_opens_one_session(centre: CentreProcess) -> None:
    log_in(centre, "h", "Emil")
    settings = CentralSettings.load(centre.config)
    code = make_link(settings, "Emil")
    made = httpx.post(f"{centre.url}/v1/sessions", json={"link": code}, timeout=30)
    assert (made.status_code, made.json()["name"]) == (201, "Emil")
    assert is_problem(httpx.post(f"{centre.url}/v1/sessions", json={"link": code}, timeout=30), 401)
    assert is_problem(bearer(centre, code).get("/v1/me"), 401)
    with pytest.raises(OperatorError, match="nobody is called 'Nobody'"):
        make_link(settings, "Nobody")


def test_what_a_command_takes_away_ends_within_seconds(centre: CentreProcess) -> None:
    settings = CentralSettings.load(centre.config)
    person = log_in(centre, "h", "Finn")
    token = bearer(centre, create_token(settings, "hq", "old pages"))
    assert token.get("/v1/me").status_code == person.get("/v1/me").status_code == 200
    assert (remove_person(settings, "Finn"), revoke_token(settings, "old pages")) == (1, 1)
    centre.wait_until(lambda: person.get("/v1/me").status_code == 401, 60)
    centre.wait_until(lambda: token.get("/v1/me").status_code == 401, 60)


def test_a_new_password_ends_the_sessions_of_the_old_one(centre: CentreProcess) -> None:
    old = log_in(centre, "h", "Gil")
    new = log_in(centre, "h", "Gil")
    centre.wait_until(lambda: old.get("/v1/me").status_code == 401, 60)
    assert new.get("/v1/me").status_code == 200


def test_an_expired_token_and_an_expired_session_are_refused(centre: CentreProcess) -> None:
    settings = CentralSettings.load(centre.config)
    token = bearer(centre, create_token(settings, "hq", "short lived", days=1))
    person = log_in(centre, "h", "Hugo")
    assert get(token, "/v1/me")["expires_ms"] - time.time() * 1000 < 86_400_000
    ledger = Ledger(settings.url)
    with ledger.write.begin() as connection:
        connection.exec_driver_sql("UPDATE tokens SET expires_ms = 1 WHERE name = 'short lived'")
        connection.exec_driver_sql("UPDATE sessions SET expires_ms = 1 WHERE person = 'Hugo'")
    ledger.close()
    for client in (token, person):
        centre.wait_until(lambda client=client: client.get("/v1/me").status_code == 401, 60)


def test_no_secret_stands_in_the_ledger_and_passwords_are_argon2id(centre: CentreProcess) -> None:
    log_in(centre, "h", "Ines")
    ledger = Ledger(CentralSettings.load(centre.config).url)
    with ledger.read.connect() as connection:
        rows = [
            str(tuple(row))
            for table in ("tokens", "sessions", "people", "gateways", "audit")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
        ]
        hashes = [row[0] for row in connection.exec_driver_sql("SELECT password_hash FROM people")]
    ledger.close()
    assert len(rows) > 10
    assert not [row for row in rows if re.search(r"sl[gtpl]_[\w-]{20}", row) or PASSWORD in row]
    assert hashes
    assert all(text.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for text in hashes)


@pytest.mark.parametrize(
    ("role", "password", "reach", "says"),
    [
        ("hq", "short", None, "12 to 200"),
        ("hq", "x" * 201, None, "12 to 200"),
        ("store", PASSWORD, None, "--store"),
        ("region", PASSWORD, Reach(stores=(STORE,)), "--region"),
        ("admin", PASSWORD, Reach(stores=(STORE,)), "whole chain"),
        ("store", PASSWORD, Reach(stores=("Not An Id",)), "lower case"),
    ],
)
def test_a_person_who_would_reach_nothing_or_have_a_weak_password_is_not_made(
    centre: CentreProcess, role: str, password: str, reach: Reach | None, says: str
) -> None:
    with pytest.raises(OperatorError, match=says):
        put_person(CentralSettings.load(centre.config), "Joe", role, password, reach=reach)


def test_the_command_line_makes_people_and_lists_who_may_come_in(centre: CentreProcess) -> None:
    (centre.folder / "password").write_text(PASSWORD + "\n")
    (centre.folder / "password").chmod(0o600)
    words = ("person", "add", "--name", "Kim", "--role", "store", "--store", STORE, "--password-file")
    assert "can log in" in centre.command(*words, str(centre.folder / "password"))
    listed = who_may(CentralSettings.load(centre.config))
    assert f"person Kim: store, store {STORE}" in listed
    assert "token the admin: admin, the whole chain, 364 days left" in listed


def test_strangers_are_told_to_wait_and_cost_the_others_nothing(centre: CentreProcess) -> None:
    known = centre.client("hq")
    assert known.get("/v1/me").status_code == 200
    with bearer(centre, "slt_wrong") as stranger:
        for _ in range(2_000):
            if stranger.get("/v1/me").status_code == 429:
                break
        else:
            raise AssertionError("a stranger may ask for ever")
    assert known.get("/v1/me").status_code == 200
