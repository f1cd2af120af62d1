import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from central.addresses import checked_target
from central.core.retry import Outcome, judge_answer
from central.errors import SenderError
from central.settings import STANDARD_SCHEDULE_S
from central.webhook_signature import new_webhook_secret, signed_headers

SCHEDULE = (0.0, 5.0, 300.0)


@pytest.mark.parametrize(
    ("status", "retry_after", "attempts", "outcome", "wait"),
    [
        (200, None, 1, Outcome.DELIVERED, 0),
        (204, None, 3, Outcome.DELIVERED, 0),
        (410, None, 1, Outcome.DISABLE, 0),
        (302, None, 1, Outcome.RETRY, 5.0),
        (500, None, 2, Outcome.RETRY, 300.0),
        (None, None, 1, Outcome.RETRY, 5.0),
        (429, 60.0, 1, Outcome.RETRY, 60.0),
        (503, 1.0, 1, Outcome.RETRY, 5.0),
        (500, 60.0, 1, Outcome.RETRY, 5.0),
        (429, 1e9, 1, Outcome.RETRY, 86_400.0),
        (500, None, 3, Outcome.GIVEN_UP, 0),
    ],
)
def test_what_an_answer_leads_to(
    status: int | None, retry_after: float | None, attempts: int, outcome: Outcome, wait: float
) -> None:
    verdict = judge_answer(status, retry_after, attempts, SCHEDULE, lot=0.0)
    assert (verdict.outcome, verdict.wait_s) == (outcome, wait)


def test_jitter_adds_up_to_a_tenth() -> None:
    assert judge_answer(500, None, 1, SCHEDULE, lot=0.999).wait_s == pytest.approx(5.5, abs=0.01)


def test_the_standard_schedule_tries_for_three_days() -> None:
    assert 72 < sum(STANDARD_SCHEDULE_S) / 3600 < 80


def test_an_independent_library_accepts_the_signature_and_refuses_a_changed_body() -> None:
    old, new = new_webhook_secret(), new_webhook_secret()
    body = json.dumps({"a": "é"}).encode()
    headers = signed_headers("evt-1", int(time.time()), body, (old, new))
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == {"a": "é"}
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_webhook_secret()).verify(body, headers)


def test_a_checked_target_keeps_name_path_and_port_but_goes_to_the_address() -> None:
    target = checked_target("http://localhost:8080/a/b?c=d#e", allow_private=True)
    assert target.url in ("http://127.0.0.1:8080/a/b?c=d", "http://[::1]:8080/a/b?c=d")
    assert (target.host_header, target.server_name) == ("localhost:8080", "localhost")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "[::1]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[64:ff9b::a01:203]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a01:203::1]",
    ],
)  # fmt: skip
def test_no_form_of_an_address_that_is_not_public_is_called(host: str) -> None:
    with pytest.raises(SenderError, match="not a public address"):
        checked_target(f"http://{host}/", allow_private=False)


@pytest.mark.parametrize("host", ["93.184.215.14", "[2606:2800:21f::1]", "[64:ff9b::5db8:d70e]"])
def test_a_public_address_is_called_also_through_nat64(host: str) -> None:
    assert host in checked_target(f"http://{host}/", allow_private=False).url


@pytest.mark.parametrize(
    "url", ["http://", "http://x:99999/", "gopher://x/", "http://u:p@127.0.0.1/", "http:///path"]
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(SenderError):
        checked_target(url, allow_private=True)
