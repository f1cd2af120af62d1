"""What `shelfloop models train | evaluate | compare | export | forecast` do; each imports what it needs when it is called."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.bundle import DEMO_PUBLIC_KEY, load_bundle
from models.errors import TrainingDataError
from models.manifest import HeldOut

if TYPE_CHECKING:
    import pyarrow as pa

    from models.training.evenings import Interval
    from models.training.series import DailySeries
    from models.training.workers import Workers

EXIT_USAGE = 2
DEMO_SHOPS = 3
DEMO_PRODUCTS = 1500
DEMO_TEST_FROM = date(2017, 9, 1)
THINNED_SHARES = (1 / 3, 1 / 10)
MAX_TRAINING_SHOP_SERIES = 1500
HEAVY_ROWS, GATEWAY_ROWS = 3_000_000, 600_000
GATEWAY_EPOCHS = 10
TREES = 150


def train(arguments: argparse.Namespace) -> int:
    if arguments.table is None and arguments.ledger is None:
        table = arguments.configured.get("table")
        arguments.table = None if table is None else Path(table)
        arguments.ledger = arguments.configured.get("ledger")
    _require_place(arguments.folder, "the folder to write")
    heavy = arguments.form == "heavy"
    rows = arguments.rows or (HEAVY_ROWS if heavy else GATEWAY_ROWS)
    epochs = arguments.epochs or (0 if heavy else GATEWAY_EPOCHS)
    if rows < 1000 or min(epochs, arguments.trees) < 0 or min(arguments.networks, arguments.partitions) < 1:
        print(
            "shelfloop models train: --rows must be >= 1000, --networks and --partitions >= 1, --epochs and --trees >= 0",
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
    fit = Fit(epochs=epochs, seed=arguments.seed)
    plan = Plan(arguments.name, arguments.version, rows, fit, test_from, int(arguments.features))
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
    from models.training.median_trees import TreeFit  # noqa: PLC0415
    from models.training.panel_examples import Draw  # noqa: PLC0415
    from models.training.quantile_fit import QuantileFit  # noqa: PLC0415

    fit = QuantileFit(networks=arguments.networks, epochs=epochs, seed=arguments.seed)
    trees = TreeFit(rounds=arguments.trees, seed=arguments.seed)
    recipe = Recipe(Draw(rows=rows, seed=arguments.seed), fit, arguments.partitions, trees)
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

    _note("reading sales")
    if arguments.ledger is not None:
        return _sales_of(arguments.ledger)
    if arguments.table is None:
        raise TrainingDataError("no sales: give --table FILE or --ledger LEDGER")
    return table_of(arguments.table), str(arguments.table.name)


def _sales_of(ledger: str) -> "tuple[pa.Table, str]":
    """The sales of --ledger, of every form and command with what the shops' calendars say of their days, and its name."""
    from models.training.ledger import ledger_name, table_from_ledger  # noqa: PLC0415

    address = Path(ledger[1:]).read_text(encoding="utf-8").strip() if ledger.startswith("@") else ledger
    return table_from_ledger(address, calendar=True), ledger_name(address)


def _series(arguments: argparse.Namespace, best: int = 180) -> "tuple[DailySeries, DailySeries, date]":
    """What to train on and what to score: shops as they are, and the same trade thinned to smaller shops."""
    from models.training.series import joined, series_from_file, series_from_table, thinned  # noqa: PLC0415

    given: date | None = arguments.test_from
    if arguments.ledger is not None:
        _note("reading sales")
        chain = shops = series_from_table(*_sales_of(arguments.ledger))
    elif arguments.table is not None:
        _note("reading sales")
        chain = shops = series_from_file(arguments.table)
    else:
        from models.training.completejourney import completejourney_series  # noqa: PLC0415

        _note("reading sales")
        given = given or DEMO_TEST_FROM
        chain = completejourney_series(1, DEMO_PRODUCTS, given)
        shops = completejourney_series(DEMO_SHOPS, DEMO_PRODUCTS, given)
    test_from = given or date.fromordinal(chain.last_day.toordinal() - 27)
    parts = [chain, *(thinned(chain, share, seed) for seed, share in enumerate(THINNED_SHARES, start=1))]
    if shops is not chain:
        parts.append(shops.best_sellers(MAX_TRAINING_SHOP_SERIES, before=test_from))
    return joined(parts), shops.best_sellers(best, before=test_from), test_from


def _require_place(folder: Path, option: str) -> None:
    """Before hours of work for it. Raises TrainingDataError when the folder cannot be made or written to."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "is no folder" if not there.is_dir() else "may not be written to"
        raise TrainingDataError(f"{option} is {folder}, and {there} {why}; name a folder that can be made")


def evaluate(arguments: argparse.Namespace) -> int:
    from models.training.heavy_files import is_heavy  # noqa: PLC0415

    if not _parts_are_right(arguments):
        return EXIT_USAGE
    if arguments.card is not None:
        _require_place(arguments.card, "--card")
    spread = arguments.ray is not None or arguments.partitions is not None
    if spread or is_heavy(arguments.folder) or arguments.card is not None:
        with _workers(arguments.ray) as workers:
            return _evaluate_all(arguments, workers)
    from models.inference import DemandModel  # noqa: PLC0415
    from models.training.rolling import held_out_scores  # noqa: PLC0415

    model = DemandModel(load_bundle(arguments.folder, _public_key(arguments)))
    _, shops, test_from = _series(arguments, arguments.series)
    _note(f"scoring the {len(shops.units)} best sellers")
    scores = held_out_scores(shops, test_from, model)
    if arguments.json:
        print(json.dumps(scores.model_dump(mode="json"), indent=1))
    else:
        print_scores(scores)
    return 0


def _parts_are_right(arguments: argparse.Namespace) -> bool:
    """Says what is wrong of --partitions."""
    if arguments.partitions is not None and arguments.partitions < 1:
        print(f"shelfloop models: --partitions is {arguments.partitions}; it must be >= 1", file=sys.stderr)
        return False
    return True


def _evaluate_all(arguments: argparse.Namespace, workers: "Workers") -> int:
    from models.training.card import intervals  # noqa: PLC0415
    from models.training.heavy_build import first_held_out, panel_of, score_methods, write_card  # noqa: PLC0415
    from models.training.heavy_scores import learned_from, limits_of, method_of, peers  # noqa: PLC0415

    history, source = _history(arguments)
    panel = panel_of(history, _note).panel
    first = first_held_out(panel, arguments.test_from)
    parts = arguments.partitions
    name, method = method_of(arguments.folder, _public_key(arguments), panel, workers, parts)
    scored = score_methods(panel, first, {name: method} | peers(workers, parts), _note)
    _note("intervals over other series and evenings")
    scores = intervals(scored)
    _tell(
        {(of, measure): each for of, found in scores.items() for measure, each in found.items()},
        arguments.json,
    )
    if arguments.card is not None:
        learned = learned_from(arguments.folder, _public_key(arguments))
        learned["scored on"] = f"{source}, {panel.day(first)} to {panel.day(panel.n_days - 1)}"
        limits = limits_of(arguments.folder, _public_key(arguments))
        write_card(arguments.card, name, learned, scored, scores, panel, first, method, limits)
        print(f"wrote {arguments.card / 'CARD.md'}", file=sys.stderr)
    return 0


def compare(arguments: argparse.Namespace) -> int:
    from models.training.card import intervals  # noqa: PLC0415
    from models.training.evenings import difference  # noqa: PLC0415
    from models.training.heavy_build import first_held_out, panel_of, score_methods  # noqa: PLC0415
    from models.training.heavy_scores import method_of  # noqa: PLC0415

    if not _parts_are_right(arguments):
        return EXIT_USAGE
    panel = panel_of(_history(arguments)[0], _note).panel
    first = first_held_out(panel, arguments.test_from)
    with _workers(arguments.ray) as workers:
        key, parts = _public_key(arguments), arguments.partitions
        a, b = (method_of(each, key, panel, workers, parts)[1] for each in (arguments.a, arguments.b))
        scored = score_methods(panel, first, {"A": a, "B": b}, _note)
    _note("intervals over other series and evenings")
    scores = intervals(scored)
    scores["B - A"] = difference(scored["A"], scored["B"])
    print(f"A is {arguments.a}, B is {arguments.b}; of the bias, B - A is that of its size", file=sys.stderr)
    _tell(
        {(of, measure): each for of, found in scores.items() for measure, each in found.items()},
        arguments.json,
    )
    return 0


def export(arguments: argparse.Namespace) -> int:
    from models.training.heavy_export import export_heavy  # noqa: PLC0415

    _note("writing the graph and asking it beside the model")
    worst = export_heavy(arguments.folder, arguments.out)
    size_kb = arguments.out.stat().st_size / 1000
    print(
        f"wrote {arguments.out}, {size_kb:.0f} kB; it is within {worst:.1e} of the model's own answers, relative"
    )
    print(
        "in it: networks, bands and trees; not in it: totals of categories, sums of days, what is measured of new SKUs"
    )
    return 0


def forecast(arguments: argparse.Namespace) -> int:
    from models.inference import open_models  # noqa: PLC0415
    from models.training.forecast_files import ForecastJob, forecast_files  # noqa: PLC0415
    from models.training.heavy_training import Recipe  # noqa: PLC0415
    from models.training.median_trees import TreeFit  # noqa: PLC0415
    from models.training.panel_examples import Draw  # noqa: PLC0415
    from models.training.quantile_fit import QuantileFit  # noqa: PLC0415

    if min(arguments.rows, arguments.networks) < 1 or min(arguments.epochs, arguments.trees) < 0:
        print(
            "shelfloop models forecast: --rows and --networks must be >= 1, --epochs and --trees >= 0",
            file=sys.stderr,
        )
        return EXIT_USAGE
    recipe = Recipe(
        Draw(rows=arguments.rows, seed=arguments.seed),
        QuantileFit(networks=arguments.networks, epochs=arguments.epochs, seed=arguments.seed),
        trees=TreeFit(rounds=arguments.trees, seed=arguments.seed),
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


def _note(text: str) -> None:
    """Progress of commands whose output is the scores."""
    print(text, file=sys.stderr, flush=True)


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
