"""`shelfloop models publish`: sends a signed bundle to the centre, which rolls it out when people say so."""

import argparse
import base64
import hashlib
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from models.bundle import DEMO_PUBLIC_KEY, load_bundle
from models.manifest import MANIFEST_FILE, SIGNATURE_FILE
from models.token_file import token_from
from runtime.errors import reason_of

TIMEOUT_S = 60


def add_publish(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "check a signed bundle and send it to the centre"
    publish = commands.add_parser(
        "publish", help=text, description=f"{text.capitalize()}. It reaches no shop before somebody rolls it out at HQ."
    )  # fmt: skip
    publish.add_argument("folder", type=Path, help="the bundle")
    publish.add_argument("--public-key", type=Path, help="its public key (default: the demo's)")
    publish.add_argument(
        "--central", required=True, metavar="URL", help="base URL, such as https://central.example"
    )
    publish.add_argument(
        "--token-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="a token: `shelfloop central token create --scope system`",
    )
    publish.set_defaults(run=_publish)


def _publish(arguments: argparse.Namespace) -> int:
    bundle = load_bundle(arguments.folder, arguments.public_key or DEMO_PUBLIC_KEY)
    names = [MANIFEST_FILE, SIGNATURE_FILE, *bundle.manifest.files]
    contents = {name: (arguments.folder / name).read_bytes() for name in names}
    sha256 = hashlib.sha256(contents[MANIFEST_FILE]).hexdigest()
    files = {name: base64.b64encode(content).decode() for name, content in contents.items()}
    token = token_from(arguments.token_file)
    if not arguments.central.startswith(("http://", "https://")):
        print("shelfloop models publish: --central must begin with http:// or https://", file=sys.stderr)
        return 2
    problem = _put(f"{arguments.central.rstrip('/')}/v1/bundles/{sha256}", token, files)
    if problem:
        print(f"shelfloop models publish: {problem}", file=sys.stderr)
        return 1
    print(f"{bundle.name} is at the centre as {sha256[:12]}…; roll it out on HQ's models page")
    return 0


def _put(url: str, token: str, files: dict[str, str]) -> str:
    """Why the centre did not take it, "" when it did."""
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        url, json.dumps({"files": files}).encode(), method="PUT",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - as above
            return ""
    except urllib.error.HTTPError as error:
        try:
            problem = json.loads(error.read())
        except ValueError:
            problem = {}
        return f"the centre answers {error.code}: {problem.get('detail') or problem.get('title') or error.reason}"
    except OSError as error:
        return f"{url}: {reason_of(error)}; is the centre up, and the address right?"
