"""The model bundle: signed by the key that this gateway trusts, whole, and giving its golden answers."""

from pathlib import Path

from cli.findings import Finding, fail, ok
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import BundleError


def check_bundle(bundle_dir: str, public_key_file: str) -> Finding:
    """Empty in either means the demo's. A bad bundle stops nothing, but somebody must act."""
    path = Path(bundle_dir) if bundle_dir else DEMO_BUNDLE
    key = Path(public_key_file) if public_key_file else DEMO_PUBLIC_KEY
    try:
        bundle = load_bundle(path, key)
    except BundleError as error:
        return fail(
            f"bundle {path}", str(error), "until then the baseline forecasts and people approve orders"
        )
    return ok(f"bundle {path}", f"{bundle.name}: signature, files and golden answers are right")
