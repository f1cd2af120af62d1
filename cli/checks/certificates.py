"""Certificates: until when they are good."""

from pathlib import Path

from cli.findings import Finding, fail, ok, warn
from runtime.errors import OperatorError

BROKER_CERTIFICATE = Path("/etc/mosquitto/shelfloop/broker.crt")
"""Where deploy/gateway/install.sh puts it."""
WARN_DAYS = 60
RENEW = "run deploy/gateway/install.sh again, or bring a new one (shelfloop ca issue)"


def check_certificate(about: str, path: Path, renew: str = RENEW) -> Finding:
    from cli.ca import describe  # cryptography: the centre and HQ may lack it

    try:
        _, left = describe(path)
    except OperatorError as error:
        return fail(about, str(error), "name a certificate in PEM form that this user may read")
    if left < 0:
        return fail(about, f"{path} ended {-left} days ago: devices refuse it", renew)
    if left < WARN_DAYS:
        return warn(about, f"{path} ends in {left} days", renew)
    return ok(about, f"{path} is good for {left} days")
