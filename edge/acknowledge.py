"""`shelfloop edge acknowledge`: a person in the shop takes note of an open alert of the running gateway."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping

from edge.alert_desk import AlertDesk
from runtime.errors import reason_of
from runtime.status import Act, Refusal

PATH = "/alerts/acknowledge"


def act_of(desk: AlertDesk) -> Mapping[str, Act]:
    """The act behind PATH, for the status server."""

    def acknowledge(body: Mapping[str, object]) -> Mapping[str, object]:
        code, subject, who = (body.get(name) for name in ("code", "subject", "who"))
        if not (isinstance(code, str) and isinstance(subject, str) and isinstance(who, str)):
            raise Refusal(400, "send code, subject and who, each a text")
        try:
            noted = desk.acknowledge(code, subject, who)
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        if not noted:
            raise Refusal(409, f"no open alert {code[:50]} of {subject[:80]}, or no time for it now")
        return {"acknowledged": True}

    return {PATH: acknowledge}


def send(host: str, port: int, code: str, subject: str, who: str) -> str:
    """Why the gateway did not take the note, "" when it did."""
    body = json.dumps({"code": code, "subject": subject, "who": who}).encode()
    request = urllib.request.Request(
        f"http://{host}:{port}{PATH}", body, {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - as above
            return ""
    except urllib.error.HTTPError as error:
        answer = json.loads(error.read() or b"{}")
        return str(answer.get("error", error))
    except OSError as error:
        return f"no gateway answers on port {port}: {reason_of(error)}"
