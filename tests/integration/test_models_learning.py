"""`shelfloop models train --form heavy`, `evaluate`, `compare`, `export` and `forecast --model`, by their own words."""

import json
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.__main__ import main
from models.bundle import DEMO_BUNDLE
from models.graph import Graph

FIRST, DAYS = date(2024, 1, 1), 84
SMALL = ["--form", "heavy", "--rows", "4000", "--networks", "2", "--epochs", "2"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    random = np.random.default_rng(6)
    rows: dict[str, list] = {name: [] for name in ("store", "sku", "date", "units", "category", "price")}
    for number in range(60):
        level = random.gamma(1.5, 3)
        for n in range(DAYS):
            offer = random.random() < 0.1
            units = float(random.poisson(level * (2 if n % 7 == 5 else 1) * (2 if offer else 1)))
            for name, value in zip(
                rows, (f"s{number % 3}", f"k{number // 3}", FIRST + timedelta(days=n), units, f"c{number % 4}", 2 - 0.5 * offer),
                strict=True,
            ):  # fmt: skip
                rows[name].append(value)
    path = tmp_path_factory.mktemp("sales") / "sales.parquet"
    pq.write_table(pa.table(rows), path)
    return path


@pytest.fixture(scope="module")
def model(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "chain"
    assert main(["train", str(folder), *SMALL, "--table", str(table)]) == 0
    return folder


def test_a_configuration_file_and_its_seed_give_the_same_bytes(model, table, tmp_path):
    config = tmp_path / "train.toml"
    config.write_text(f'form = "heavy"\ntable = "{table}"\nrows = 4000\nnetworks = 2\nepochs = 2\nseed = 9\n')
    # The command line wins.
    assert main(["train", str(tmp_path / "chain"), "--config", str(config), "--seed", "1"]) == 0
    for name in ("networks.npz", "model.json"):
        assert (tmp_path / "chain" / name).read_bytes() == (model / name).read_bytes()


def test_a_configuration_file_and_its_seed_give_the_same_bytes_of_a_bundle_too(table, tmp_path):
    config = tmp_path / "train.toml"
    config.write_text(f'form = "gateway"\ntable = "{table}"\nrows = 2000\nepochs = 1\nseed = 9\n')
    for name in ("one", "two"):
        assert main(["train", str(tmp_path / name), "--config", str(config)]) == 0
    assert main(["train", str(tmp_path / "other"), "--config", str(config), "--seed", "1"]) == 0
    one, two, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two", "other")
    )
    assert {"demand.onnx", "golden.json", "manifest.json"} <= set(one)
    assert one == two
    assert one["demand.onnx"] != other["demand.onnx"]


def test_a_configuration_with_an_unknown_name_is_refused(tmp_path, capsys):
    config = tmp_path / "train.toml"
    config.write_text("row = 4000\n")
    assert main(["train", str(tmp_path / "chain"), "--config", str(config)]) == 78
    assert "names row; it may name" in capsys.readouterr().err


def test_a_model_compared_with_itself_differs_by_nothing_and_with_a_bundle_by_something(model, table, capsys):
    assert main(["compare", str(model), str(model), "--table", str(table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert all(row["value"] == row["low"] == row["high"] == 0 for row in said if row["method"] == "B - A")
    bundle = str(DEMO_BUNDLE)
    assert main(["compare", str(model), bundle, "--table", str(table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert any(row["value"] != 0 for row in said if row["method"] == "B - A")


def test_partitions_and_who_computes_them_leave_the_scores_as_they_are(model, table, capsys):
    """Of series that all have a history: only new ones are known from shops of other parts."""
    bundle = ["evaluate", str(DEMO_BUNDLE), "--table", str(table), "--json"]
    found = []
    for parts in ("1", "3"):
        assert main([*bundle, "--partitions", parts]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert "ma28-negbin" in {row["method"] for row in found[0]}
    assert main(["compare", str(model), str(model), "--table", str(table), "--partitions", "0"]) == 2
    assert "--partitions is 0" in capsys.readouterr().err


def test_evaluate_writes_a_card_of_a_bundle_too(table, tmp_path, capsys):
    assert main(["evaluate", "--table", str(table), "--card", str(tmp_path / "card")]) == 0
    said = capsys.readouterr().out
    assert "seasonal-baseline" in said
    card = (tmp_path / "card" / "CARD.md").read_text()
    assert "negative binomial" in card
    assert (tmp_path / "card" / "fan.png").stat().st_size > 1000


def test_a_saved_model_forecasts_and_is_exported(model, table, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    words = ["forecast", "--history", str(table), "--model", str(model), "--out", str(out)]
    assert main([*words, "--horizon", "7"]) == 0
    found = pq.read_table(out)
    assert found.num_rows == 60 * 7
    assert (found["q0.9"].to_numpy() >= found["q0.1"].to_numpy()).all()
    assert main(["export", str(model), "--out", str(tmp_path / "heavy.onnx")]) == 0
    assert "relative" in capsys.readouterr().out
    graph = Graph((tmp_path / "heavy.onnx").read_bytes(), tmp_path)
    assert graph.output_names == ["mean", "quantiles"]


def test_a_table_without_the_columns_of_training_is_refused(model, table, tmp_path, capsys):
    bare = tmp_path / "bare.parquet"
    pq.write_table(pq.read_table(table).drop_columns(["price"]), bare)
    words = [
        "forecast",
        "--history",
        str(bare),
        "--model",
        str(model),
        "--horizon",
        "7",
        "--out",
        str(tmp_path / "o.csv"),
    ]
    assert main(words) == 78
    assert "learned from the columns known ahead ['price']" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_training(table, tmp_path, capsys):
    (tmp_path / "a file").touch()
    place = str(tmp_path / "a file" / "chain")
    assert main(["train", place, *SMALL, "--table", str(table)]) == 78
    assert "a file is no folder; name a folder that can be made" in capsys.readouterr().err
    assert main(["evaluate", "--table", str(table), "--card", place]) == 78
    said = capsys.readouterr().err
    assert "--card is" in said
    assert "evening 1 of" not in said


def test_no_sales_and_a_history_too_short_are_named(table, tmp_path, capsys):
    assert main(["train", str(tmp_path / "m"), *SMALL]) == 78
    assert "--table FILE or --ledger LEDGER" in capsys.readouterr().err
    assert (
        main(["train", str(tmp_path / "m"), *SMALL, "--table", str(table), "--test-from", "2024-01-10"]) == 78
    )
    assert "9 days lie before" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "m"), "--ray", "auto"]) == 2
