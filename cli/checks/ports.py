"""TCP ports: free, held by the process that should hold them, or taken by a stranger."""

import http.client
import json
import socket

from cli.findings import Finding, fail, ok, warn

TIMEOUT_S = 3.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_port(setting: str, host: str, port: int, path: str, mark: str) -> Finding:
    """path: what our process answers there with JSON that has the key `mark`. Port 0 is any free one."""
    about = f"{setting} {port}"
    if port == 0:
        return ok(about, "any free port will be taken")
    if not _is_taken(host, port):
        return ok(about, f"free on {host} (the process is not running)")
    answer = _json_from(host, port, path)
    if answer is None or mark not in answer:
        return fail(
            about, f"another program holds it on {host}", f"stop that program, or set another {setting}"
        )
    problems = answer.get("problems")
    if problems:
        return warn(about, f"our process answers and reports: {_listed(problems)}", "see its log")
    return ok(about, f"our process answers on {host}")


def check_page_port(setting: str, host: str, port: int, path: str, mark: str) -> Finding:
    """path: a file that our page serves there; `mark` is in its content type."""
    about = f"{setting} {port}"
    if port == 0:
        return ok(about, "any free port will be taken")
    if not _is_taken(host, port):
        return ok(about, f"free on {host} (the process is not running)")
    if mark in _content_type(host, port, path):
        return ok(about, f"our page answers on {host}")
    return fail(about, f"another program holds it on {host}", f"stop that program, or set another {setting}")


def check_listens_on_loopback(setting: str, host: str) -> Finding:
    if host in LOOPBACK:
        return ok(f"{setting} {host}", "reachable from this machine only")
    return warn(
        f"{setting} {host}",
        "other machines can reach it, without encryption",
        "put a TLS proxy in front and let the process listen on 127.0.0.1",
    )


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((_reachable(host), port), timeout=TIMEOUT_S):
            return True
    except OSError:
        return False


def _content_type(host: str, port: int, path: str) -> str:
    """Empty when nobody serves `path` there."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return (answer.getheader("Content-Type") or "") if answer.status == http.HTTPStatus.OK else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _json_from(host: str, port: int, path: str) -> dict[str, object] | None:
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        found = json.loads(connection.getresponse().read(1_000_000))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a listen address, read only


def _listed(problems: object) -> str:
    return "; ".join(str(each) for each in problems) if isinstance(problems, list) else str(problems)
