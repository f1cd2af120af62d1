"""The centre: reachable, its clock near ours, our key or token accepted."""

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from cli.findings import Finding, fail, ok, warn
from runtime.errors import reason_of

TIMEOUT_S = 5.0
MAX_SKEW_MS = 60_000
"""Business days and windows bear a minute; more puts sales into the wrong hour."""
ADVICE_REACH = "check central_url, the network and the centre's service"


@dataclass(frozen=True, slots=True)
class Answer:
    """status 0: none came, and `text` says why."""

    status: int
    text: str


def check_centre(central_url: str, now_ms: int, ca_file: str = "") -> list[Finding]:
    """Reachability, health and clock skew by `GET /healthz`."""
    about = f"centre {central_url}"
    answer = ask(central_url, "GET", "/healthz", ca_file=ca_file)
    if answer.status == 0:
        return [fail(about, f"does not answer: {answer.text}", ADVICE_REACH)]
    try:
        health = json.loads(answer.text)
        centre_ms = int(health["now_ms"])
    except (ValueError, KeyError, TypeError):
        return [
            fail(
                about,
                f"answers {answer.status}, but not as a centre does",
                "central_url names another server",
            )
        ]
    findings = [_health(about, answer.status, health)]
    skew_ms = abs(centre_ms - now_ms)
    if skew_ms > MAX_SKEW_MS:
        findings.append(
            fail(
                about, f"its clock and this one differ by {skew_ms / 1000:.0f} s", "switch time sync on here and there"
            )
        )  # fmt: skip
    else:
        findings.append(ok(about, f"its clock and this one agree within {max(skew_ms, 1) / 1000:.1f} s"))
    return findings


def check_gateway_key(central_url: str, gateway: str, key: str, ca_file: str = "") -> Finding:
    """Sends a body that is no batch: it is refused as such (key good) or before it is read (key bad). Nothing is kept."""
    about = f"key of gateway {gateway}"
    path = f"/v1/gateways/{gateway}/batches"
    answer = ask(central_url, "POST", path, secret=key, body=b"", ca_file=ca_file)
    return _accepted(
        about, answer, f"make a new one at the centre: shelfloop central gateway add --gateway {gateway} …"
    )


def check_token(central_url: str, token: str) -> Finding:
    answer = ask(central_url, "GET", "/v1/stores", secret=token)
    return _accepted(
        "token", answer, "make a new one at the centre: shelfloop central token create --scope hq …"
    )


def ask(
    central_url: str,
    method: str,
    path: str,
    *,
    secret: str = "",
    body: bytes | None = None,
    ca_file: str = "",
) -> Answer:
    parts = urlsplit(central_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Answer(0, f"{central_url!r} is no http(s) address")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection = _connection(parts, ca_file)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(100_000).decode("utf-8", "replace"))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, reason_of(error))


def _connection(parts: SplitResult, ca_file: str) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context(cafile=ca_file or None)
    return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _health(about: str, status: int, health: dict[str, object]) -> Finding:
    problems = health.get("problems") or []
    if status != http.client.OK or problems:
        told = "; ".join(map(str, problems)) if isinstance(problems, list) else str(problems)
        return warn(
            about, f"answers {status} and reports: {told or 'no reason'}", "run shelfloop doctor there"
        )
    return ok(about, f"answers, version {health.get('version', 'unknown')}")


def _accepted(about: str, answer: Answer, advice: str) -> Finding:
    if answer.status == 0:
        return fail(about, f"cannot be tried: {answer.text}", ADVICE_REACH)
    if answer.status in (401, 403):
        return fail(about, f"the centre refuses it ({answer.status})", advice)
    if answer.status == http.client.NOT_FOUND:
        return fail(
            about, "the centre does not know that address (404)", "central_url may name another server"
        )
    if answer.status >= 500:
        return warn(about, f"the centre answered {answer.status}", "run shelfloop doctor there")
    return ok(about, "the centre accepts it")
