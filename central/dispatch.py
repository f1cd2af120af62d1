"""Sends outgoing events to webhooks: a thread an endpoint, so that a dead one never delays another. Real time throughout."""

import email.utils
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from central.addresses import checked_target
from central.centre import Centre, real_ms
from central.context import CHAIN
from central.core.retry import Outcome, Verdict, judge_answer
from central.core.vouched import WEBHOOK
from central.errors import CentralError
from central.ledger import outgoing
from central.ledger.outgoing import Due, Endpoint
from central.ledger.writer import Transaction
from central.webhook_signature import signed_headers
from runtime.errors import EXIT_FAULT
from runtime.logs import Log

log = Log("central.dispatch")

AT_ONCE = 20
"""Deliveries between two commits: so many may be sent twice after a kill, and the receiver drops them by their id."""
MAX_ANSWER_BYTES = 65_536
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    due: Due
    verdict: Verdict
    status: str


class Dispatcher:
    """Keeps one sender for each enabled endpoint. `refresh` after endpoints changed; `wake` after events were placed."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._senders: dict[str, Sender] = {}
        self._changed = threading.Event()
        centre.on_placed.append(self.wake)

    def run(self) -> None:
        """Starts senders for new endpoints and ends those of endpoints that are gone. Run it in a supervised thread."""
        while not self._centre.stop.is_set():
            self._changed.clear()
            wanted = self._wanted()
            for name in set(self._senders) - set(wanted):
                self._senders.pop(name).close()
            for name, endpoint in wanted.items():
                if name in self._senders:
                    self._senders[name].endpoint = endpoint
                else:
                    self._senders[name] = Sender(self._centre, endpoint, self.refresh)
                    self._senders[name].start()
            self._changed.wait(LONGEST_WAIT_S)
        for sender in self._senders.values():
            sender.close()

    def _wanted(self) -> dict[str, Endpoint]:
        """Enabled endpoints; none while another process of this centre sends, or the ledger is away."""
        if not self._centre.sends.is_mine():
            return {}
        try:
            with self._centre.ledger.read.connect() as connection:
                return {endpoint.endpoint: endpoint for endpoint in outgoing.enabled_endpoints(connection)}
        except sa.exc.OperationalError:
            if not self._centre.ledger.is_shared:
                raise
            return {}

    def refresh(self) -> None:
        self._changed.set()

    def wake(self) -> None:
        for sender in list(self._senders.values()):
            sender.wake()


class Sender:
    """One endpoint's thread. endpoint: may be replaced at any time by what the ledger says of it now."""

    def __init__(self, centre: Centre, endpoint: Endpoint, on_disabled: Callable[[], None]) -> None:
        self._centre, self.endpoint, self._on_disabled = centre, endpoint, on_disabled
        self._wake, self._closed = threading.Event(), threading.Event()
        self._failing = False
        self._lots = random.Random()  # noqa: S311 - jitter, no secret
        self._client = httpx.Client(
            timeout=centre.settings.webhook_timeout_s, follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=30),
        )  # fmt: skip

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"webhook {self.endpoint.endpoint}", daemon=True).start()

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        self._closed.set()
        self._wake.set()

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException:  # a thread's top: a centre that no longer sends must not look alive
            log.exception("webhook sender died, ending the process", endpoint=self.endpoint.endpoint)
            os._exit(EXIT_FAULT)

    def _serve(self) -> None:
        while not self._closed.is_set() and not self._centre.stop.is_set():
            self._wake.clear()
            try:
                busy = self._send_due()
                wait_s = 0.0 if busy else self._wait_s()
            except CentralError as error:
                log.warning("webhook sender waits", endpoint=self.endpoint.endpoint, reason=error.detail)
                wait_s = 1.0
            except sa.exc.OperationalError as error:
                if not self._centre.ledger.is_shared:
                    raise
                log.warning(
                    "webhook sender waits", endpoint=self.endpoint.endpoint, reason=str(error.orig)[:200]
                )
                wait_s = 1.0
            if wait_s:
                self._wake.wait(wait_s)
        self._client.close()

    def _wait_s(self) -> float:
        with self._centre.ledger.read.connect() as connection:
            due_ms = outgoing.next_due_ms(connection, self.endpoint.endpoint)
        if due_ms is None:
            return LONGEST_WAIT_S
        return min(max((due_ms - real_ms()) / 1000, 0.001), LONGEST_WAIT_S)

    def _send_due(self) -> bool:
        """Whether anything was due. Results are in the ledger when it returns."""
        name = self.endpoint.endpoint
        with self._centre.ledger.read.connect() as connection:
            due = outgoing.due_deliveries(connection, name, real_ms(), AT_ONCE)
        attempts: list[Attempt] = []
        for delivery in due:
            if self._closed.is_set():
                break
            attempts.append(self._attempt(delivery))
            if attempts[-1].verdict.outcome is Outcome.DISABLE:
                break
        if attempts:
            self._centre.writer.call(lambda transaction: self._record(transaction, attempts))
        if any(attempt.verdict.outcome is Outcome.DISABLE for attempt in attempts):
            self._closed.set()
            self._on_disabled()
        return bool(attempts)

    def _attempt(self, due: Due) -> Attempt:
        status, retry_after_s, shown = self._post(due)
        verdict = judge_answer(
            status,
            retry_after_s,
            due.attempts + 1,
            self._centre.settings.retry_schedule_s,
            lot=self._lots.random(),
        )
        return Attempt(due, verdict, shown)

    def _post(self, due: Due) -> tuple[int | None, float | None, str]:
        """(HTTP status or None, seconds of Retry-After or None, words for people)."""
        body = due.body.encode()
        try:
            target = checked_target(
                self.endpoint.url, allow_private=self._centre.settings.allow_private_webhooks
            )
            headers = {
                **signed_headers(due.event_id, int(time.time()), body, self.endpoint.secrets(real_ms())),
                "Host": target.host_header,
                "Content-Type": "application/cloudevents+json; charset=utf-8",
                "User-Agent": "shelfloop-webhooks/1",
            }
            request = self._client.build_request(
                "POST",
                target.url,
                content=body,
                headers=headers,
                extensions={"sni_hostname": target.server_name},
            )
            response = self._client.send(request, stream=True)
            try:
                _read_some(response)
            finally:
                response.close()
        except CentralError as error:
            return None, None, error.detail[:200]
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return None, None, f"{type(error).__name__}: {error}"[:200]
        return response.status_code, _retry_after_s(response), f"HTTP {response.status_code}"

    def _record(self, transaction: Transaction, attempts: list[Attempt]) -> None:
        name, now_ms, connection = self.endpoint.endpoint, real_ms(), transaction.connection
        delivered = failed = given_up = 0
        for attempt in attempts:
            outcome = attempt.verdict.outcome
            delivered += outcome is Outcome.DELIVERED
            failed += outcome is not Outcome.DELIVERED
            if outcome is Outcome.RETRY:
                outgoing.delivery_later(
                    connection, name, attempt.due.position, attempts=attempt.due.attempts + 1,
                    due_ms=now_ms + int(attempt.verdict.wait_s * 1000), status=attempt.status,
                )  # fmt: skip
            elif outcome is Outcome.DISABLE:
                gone = "410: the receiver is gone for good"
                given_up += outgoing.disable_endpoint(connection, name, transaction.now_ms, gone)
                work = self._centre.work(transaction, CHAIN)
                work.audit("the centre", "disable-webhook", name, gone)
                work.vouch_for_row(WEBHOOK, name)
            elif outcome is Outcome.GIVEN_UP:
                outgoing.give_up(connection, name, attempt.due.position)
                given_up += 1
            else:
                outgoing.delivery_done(connection, name, attempt.due.position)
        if given_up:
            log.warning(
                "webhook deliveries given up", endpoint=name, events=given_up, position=attempts[0].due.position,
                status=attempts[-1].status, next_step="when the receiver answers again: replay after given_up_from - 1",
            )  # fmt: skip
        if attempts[-1].verdict.outcome is not Outcome.DISABLE:
            outgoing.endpoint_seen(
                connection,
                name,
                transaction.now_ms,
                delivered=delivered,
                failed=failed,
                status=attempts[-1].status,
            )
        recovered = self._failing and delivered > 0
        if recovered:
            outgoing.retry_all_now(connection, name, now_ms)
        self._note_change(failing=delivered == 0, status=attempts[-1].status)

    def _note_change(self, *, failing: bool, status: str) -> None:
        if failing != self._failing:
            self._failing = failing
            log.warning(
                "webhook endpoint fails" if failing else "webhook endpoint answers again",
                endpoint=self.endpoint.endpoint, status=status,
            )  # fmt: skip


def _read_some(response: httpx.Response) -> None:
    read = 0
    for chunk in response.iter_raw():
        read += len(chunk)
        if read > MAX_ANSWER_BYTES:
            return


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header in either form; None when it is absent or nonsense."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(at.timestamp() - time.time(), 0.0)
