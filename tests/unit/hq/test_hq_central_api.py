"""The client of the centre, over real HTTP."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest
from fake_central import FakeCentral
from fake_shops import TOKEN
from hq_rig import serving

from contract.api.common import Decision
from hq.central_api import MAX_ANSWERS, CentralApi, central_api
from hq.errors import CentralAwayError, CentralGarbledError, CentralRefusedError


def ask(url, question, token=TOKEN, **more):
    async def go():
        api = CentralApi(url, token, **more)
        try:
            return await question(api)
        finally:
            await api.close()

    return asyncio.run(asyncio.wait_for(go(), 20))


@contextmanager
def answering(raw: bytes):
    """A server that answers anything with `raw`."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.recv(65_536)
            connection.sendall(raw)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


def http(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n{body}".encode()


def test_an_answer_is_typed():
    with serving(FakeCentral()) as url:
        page = ask(url, lambda api: api.stores())
    assert [store.store for store in page.rows] == ["s367", "s406", "s31862"]


def test_pages_that_ask_the_same_share_one_request():
    fake = FakeCentral()

    async def many(api):
        await asyncio.gather(*(api.stores() for _ in range(20)))
        await api.stores()

    with serving(fake) as url:
        ask(url, many)
    assert fake.requests.count("GET /v1/stores") == 1


def test_an_answer_is_fresh_for_a_second_only():
    fake, now = FakeCentral(), [100.0]

    async def later(api):
        await api.stores()
        now[0] += 1.1
        await api.stores()

    with serving(fake) as url:
        ask(url, later, monotonic_s=lambda: now[0])
    assert fake.requests.count("GET /v1/stores") == 2


def test_an_answer_that_must_not_be_stored_is_asked_for_each_time():
    fake = FakeCentral(no_store=True)

    async def twice(api):
        await api.stores()
        await api.stores()

    with serving(fake) as url:
        ask(url, twice)
    assert fake.requests.count("GET /v1/stores") == 2


def test_a_decision_makes_old_answers_void():
    fake = FakeCentral()

    async def act(api):
        await api.triggers(states=("proposed",))
        await api.approve("t-s367-1", Decision(who="Ada"))
        return await api.triggers(states=("proposed",))

    with serving(fake) as url:
        page = ask(url, act)
    assert "t-s367-1" not in [row.trigger for row in page.rows]


def test_kept_answers_are_bounded():
    async def many(api):
        for n in range(MAX_ANSWERS + 20):
            await api.skus("s367", search=f"x{n}")
        return len(api._answers)

    with serving(FakeCentral(sku_count=3)) as url:
        assert ask(url, many) == MAX_ANSWERS


def test_a_page_that_leaves_does_not_take_the_answer_from_the_others():
    async def go(api):
        leaver = asyncio.create_task(api.stores())
        stayer = asyncio.create_task(api.stores())
        await asyncio.sleep(0)
        leaver.cancel()
        return await stayer

    with serving(FakeCentral()) as url:
        assert len(ask(url, go).rows) == 3


def test_a_centre_that_is_down_says_what_still_works():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(CentralAwayError) as caught:
        ask(f"http://127.0.0.1:{port}", lambda api: api.stores())
    assert caught.value.what == "the list of shops"
    assert "does not answer" in caught.value.why
    assert "Shops go on selling" in caught.value.do


def test_a_wrong_token_says_how_to_make_one():
    with serving(FakeCentral()) as url, pytest.raises(CentralRefusedError) as caught:
        ask(url, lambda api: api.stores(), token="slt_wrong")
    assert caught.value.status == 401
    assert "shelfloop central token create --scope hq" in caught.value.do


def test_a_refusal_carries_the_centres_own_words():
    with (
        serving(FakeCentral()) as url,
        pytest.raises(CentralRefusedError, match=r"Already decided. t-x does not wait any more."),
    ):
        ask(url, lambda api: api.approve("t-x", Decision(who="Ada")))


@pytest.mark.parametrize(
    ("status", "error"), [(500, CentralRefusedError), (503, CentralAwayError), (429, CentralAwayError)]
)
def test_a_busy_centre_is_asked_again_and_a_broken_one_is_named(status, error):
    with serving(FakeCentral(fail=status)) as url, pytest.raises(error):
        ask(url, lambda api: api.stores())


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (http("<html>hello"), CentralGarbledError),
        (http('{"rows": [], "surprise": 1}'), CentralGarbledError),
        (http("", "502 Bad Gateway"), CentralAwayError),
        (http("", "302 Found", "Location: http://elsewhere.example/\r\n"), CentralRefusedError),
        (b"not http at all\r\n\r\n", CentralAwayError),
    ],
)
def test_nonsense_from_the_other_side_is_a_clear_error(raw, error):
    with answering(raw) as url, pytest.raises(error):
        ask(url, lambda api: api.stores())


def test_names_cannot_leave_their_place_in_the_path():
    fake = FakeCentral()
    with serving(fake) as url, pytest.raises((CentralRefusedError, CentralGarbledError)):
        ask(url, lambda api: api.store("../gateways?x=1#"))
    assert "GET /v1/gateways" not in fake.requests


def test_the_client_closes_after_its_block():
    async def go(url):
        async with central_api(url, TOKEN) as api:
            await api.health()
        return api._http.is_closed

    with serving(FakeCentral()) as url:
        assert asyncio.run(go(url))
