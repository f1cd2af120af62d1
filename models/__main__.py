"""`shelfloop models …`: train, evaluate, sign and check the bundles that gateways forecast and order with."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import ModelsError
from models.manifest import Manifest
from models.policy.door import add_policy_cost, add_train_policy
from models.policy.explain import CentreError, add_explain
from models.publish import add_publish
from models.renew import add_renew_orders
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK

EXIT_STATUSES = (
    f"Exit status: {EXIT_OK} done; {EXIT_FAULT} the centre did not answer as asked, or a fault; 2 a command line that makes no sense;"
    f" {EXIT_BAD_CONFIG} a bundle, key, token, table, setting, path or missing package that a person must put right."
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status, as EXIT_STATUSES says; why is said on stderr."""
    arguments = _parser({}).parse_args(argv)
    try:
        if getattr(arguments, "config", None) is not None:
            from models.training.commands import config_values  # noqa: PLC0415

            arguments = _parser(config_values(arguments.config)).parse_args(argv)
        return int(arguments.run(arguments))
    except ModelsError as error:
        print(f"shelfloop models: {error}", file=sys.stderr)
        return EXIT_FAULT if isinstance(error, CentreError) else EXIT_BAD_CONFIG
    except OSError as error:
        print(
            f"shelfloop models: {error.filename or error}: {error.strerror or 'failed'}; name a path that is there and open to"
            " you",
            file=sys.stderr,
        )
        return EXIT_BAD_CONFIG
    except ModuleNotFoundError as error:
        print(
            f"shelfloop models: {error}; in a clone: pip install -c constraints.txt '.[train]'",
            file=sys.stderr,
        )
        return EXIT_BAD_CONFIG


def _parser(config: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop models",
        description=__doc__,
        epilog="A bundle is a folder: demand.onnx, order.onnx, replenishment.onnx, golden.json, manifest.json, manifest.sig."
        " Typical: keygen, then train --key, then copy the folder and the public key to the gateway. "
        + EXIT_STATUSES,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_keygen(commands)
    # Its own imports wait as well: a gateway that checks a bundle has none of what trains.
    from models.training.commands import add_learning  # noqa: PLC0415

    add_learning(commands, config)
    _add_sign(commands)
    _add_verify(commands)
    add_renew_orders(commands, _renew_orders)
    add_publish(commands)
    add_policy_cost(commands)
    add_train_policy(commands, _train_policy)
    add_explain(commands)
    return parser


def _add_keygen(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    keygen = commands.add_parser(
        "keygen",
        help="write a new key pair for signing bundles",
        description="Writes an Ed25519 key pair: the private key signs bundles, the public one lets gateways and the centre"
        " check them.",
    )
    keygen.add_argument("private", type=Path, help="file for the private key (kept by whoever trains)")
    keygen.add_argument("public", type=Path, help="file for the public key (goes to every gateway)")
    keygen.set_defaults(run=_keygen)


def _add_sign(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sign = commands.add_parser(
        "sign",
        help="sign the manifest of a bundle",
        description="Writes manifest.sig beside the manifest, whose hashes name all other files: an unsigned bundle runs nowhere.",
    )
    sign.add_argument("folder", type=Path, help="the bundle")
    sign.add_argument("--key", type=Path, required=True, help="private key")
    sign.set_defaults(run=_sign)


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser(
        "verify",
        help="check signature, hashes, graphs and golden outputs",
        description="Checks a bundle as a gateway does before it uses it, and names the first check that fails.",
    )
    _add_bundle(verify)
    verify.set_defaults(run=_verify)
    info = commands.add_parser(
        "info",
        help="check a bundle and show what it says of itself",
        description="Checks a bundle and prints its manifest: what it learned from, its files, its scores on held-out days.",
    )
    _add_bundle(info)
    info.add_argument("--json", action="store_true", help="print the manifest")
    info.set_defaults(run=_info)


def _add_bundle(parser: argparse.ArgumentParser, option: str = "") -> None:
    text = "the bundle (default: the demo's)"
    if option:
        parser.add_argument(option, dest="folder", type=Path, default=DEMO_BUNDLE, help=text)
    else:
        parser.add_argument("folder", type=Path, nargs="?", default=DEMO_BUNDLE, help=text)
    parser.add_argument("--public-key", type=Path, help="its public key (default: the demo's)")


def _keygen(arguments: argparse.Namespace) -> int:
    from models.signing import write_key_pair  # noqa: PLC0415

    write_key_pair(arguments.private, arguments.public)
    print(f"wrote {arguments.private} (keep it secret) and {arguments.public} (give it to gateways)")
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    from models.signing import private_key_from, sign_bundle  # noqa: PLC0415

    sign_bundle(arguments.folder, private_key_from(arguments.key))
    print(f"signed {arguments.folder}")
    return 0


def _renew_orders(arguments: argparse.Namespace) -> int:
    from models.signing import private_key_from, sign_bundle  # noqa: PLC0415
    from models.training.build import renew_orders  # noqa: PLC0415

    key = private_key_from(arguments.key)
    manifest = renew_orders(arguments.folder)
    sign_bundle(arguments.folder, key)
    print(f"wrote and signed {manifest.name}@{manifest.version} in {arguments.folder}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    bundle = load_bundle(arguments.folder, _public_key(arguments))
    print(f"{bundle.name} is good: signature, features, files, graphs and golden outputs")
    return 0


def _info(arguments: argparse.Namespace) -> int:
    manifest = load_bundle(arguments.folder, _public_key(arguments)).manifest
    if arguments.json:
        print(json.dumps(manifest.model_dump(mode="json"), indent=1))
    else:
        _print_manifest(manifest)
    return 0


def _train_policy(arguments: argparse.Namespace) -> int:
    from models.training.policy_train import train_policy  # noqa: PLC0415

    return train_policy(arguments)


def _public_key(arguments: argparse.Namespace) -> Path:
    given: Path | None = arguments.public_key
    if given is not None:
        return given
    return DEMO_PUBLIC_KEY


def _print_manifest(manifest: Manifest) -> None:
    training = manifest.training
    print(f"bundle       {manifest.name}@{manifest.version}")
    print(
        f"trained on   {training.source}: {training.series} series, {training.first_day} to {training.last_day}"
    )
    print(f"             {training.rows} examples, {training.epochs} epochs, seed {training.seed}")
    print(f"forecasts    {manifest.horizon_days} days from {len(manifest.features.names)} features")
    print(f"correlation  {manifest.correlation} between days")
    if manifest.held_out is not None:
        from models.training.actions import print_scores  # noqa: PLC0415

        print_scores(manifest.held_out)


if __name__ == "__main__":
    sys.exit(main())
