"""`shelfloop models forecast`, from files to files, by the real command."""

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.quantile_network import DAY_LEVELS

FIRST, DAYS, HORIZON = date(2024, 1, 1), 90, 10
SKUS, STORES = 25, 3
QUANTILES = [f"q{level:g}" for level in DAY_LEVELS]


def sales(days: int = DAYS) -> dict[str, list]:
    """Saturdays sell double, offers triple; one SKU has holes, negatives and a spike; zeros are written."""
    random = np.random.default_rng(5)
    rows: dict[str, list] = {
        name: [] for name in ("store", "sku", "date", "units", "dept", "price", "promotion")
    }
    for store in range(STORES):
        for sku in range(SKUS):
            level = random.gamma(1.5, 2)
            for n in range(days + HORIZON):
                offer = int(random.random() < 0.1)
                mean = level * (2 if (FIRST + timedelta(days=n)).weekday() == 5 else 1) * (3 if offer else 1)
                sold = float(random.poisson(mean))
                if sku == 0 and n < days:
                    if n % 11 == 0:
                        continue
                    sold = -2.0 if n == 20 else 5000.0 if n == 40 else sold
                price = float("nan") if sku == 1 else 2.0 - 0.5 * offer
                for name, value in zip(
                    rows, (f"s{store}", f"k{sku}", FIRST + timedelta(days=n), sold, f"d{sku % 4}", price, offer), strict=True
                ):  # fmt: skip
                    rows[name].append(value)
    return rows


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """History, future and truth; a SKU that only the future names."""
    folder = tmp_path_factory.mktemp("tables")
    whole = pa.table(sales())
    past = pa.array([day < FIRST + timedelta(days=DAYS) for day in whole["date"].to_pylist()])
    history = whole.filter(past)
    truth = whole.filter(pa.array([not known for known in past.to_pylist()]))
    new = pa.table({
        "store": ["s0"] * HORIZON, "sku": ["new"] * HORIZON, "dept": ["d1"] * HORIZON, "price": [2.0] * HORIZON,
        "date": [FIRST + timedelta(days=DAYS + n) for n in range(HORIZON)], "promotion": [0] * HORIZON,
    })  # fmt: skip
    future = pa.concat_tables(
        [truth.drop_columns(["units"]), new.select(truth.drop_columns(["units"]).column_names)]
    )
    # A row that came twice, the second time corrected.
    history = pa.concat_tables([history, history.slice(5, 1)])
    pq.write_table(history, folder / "h.parquet")
    pq.write_table(future, folder / "f.parquet")
    return folder, truth


def forecast(folder, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cli", "models", "forecast", "--history", folder / "h.parquet",
               "--future", folder / "f.parquet", "--horizon", HORIZON, "--out", folder / "o.parquet", *more]  # fmt: skip
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=800, check=False
    )


@pytest.mark.parametrize("trained", [True, False])
def test_every_series_gets_mean_and_quantiles_that_never_cross(tables, trained):
    folder, truth = tables
    done = forecast(
        folder, *(["--train", "--rows", "20000", "--networks", "1", "--epochs", "4"] if trained else [])
    )
    assert done.returncode == 0, done.stderr
    for told in ("negative days", "spikes cut", "duplicated days", "1 series have no history"):
        assert told in done.stdout
    found = pq.read_table(folder / "o.parquet")
    assert found.num_rows == (STORES * SKUS + 1) * HORIZON
    assert found.column_names == [
        "store", "sku", "date", "mean", *QUANTILES, "sum_mean", *(f"sum_{name}" for name in QUANTILES)
    ]  # fmt: skip
    for prefix in ("", "sum_"):
        table = np.stack([found[prefix + name].to_numpy() for name in QUANTILES], axis=1)
        assert np.isfinite(table).all()
        assert (table >= 0).all()
        assert (np.diff(table, axis=1) >= 0).all()
        assert (table == np.rint(table)).all()
    sums = found["sum_q0.9"].to_numpy().reshape(-1, HORIZON)
    assert (np.diff(sums, axis=1) >= 0).all()
    assert np.allclose(sums[:, 0], found["q0.9"].to_numpy().reshape(-1, HORIZON)[:, 0])
    assert (found["mean"].to_numpy() > 0).all()
    if trained:
        _is_good(found, truth)


def _is_good(found: pa.Table, truth: pa.Table) -> None:
    """Offers and Saturdays are known: half the error of a flat mean goes with them."""
    said = {(row["store"], row["sku"], row["date"]): row for row in found.to_pylist()}
    sold = np.array(truth["units"].to_pylist())
    mine = [said[row["store"], row["sku"], row["date"]] for row in truth.to_pylist()]
    mean = np.array([row["mean"] for row in mine])
    assert abs(mean.sum() / sold.sum() - 1) < 0.15
    offer = np.array(truth["promotion"].to_pylist()) == 1
    assert mean[offer].mean() > 1.6 * mean[~offer].mean()
    inside = (sold >= [row["q0.05"] for row in mine]) & (sold <= [row["q0.95"] for row in mine])
    assert 0.82 < inside.mean() <= 1


def test_a_history_too_short_to_train_on_is_forecast_by_the_bundle_and_told(tmp_path):
    rows = sales(6)
    pq.write_table(pa.table(rows), tmp_path / "h.parquet")
    pq.write_table(pa.table({"date": pa.array([], pa.date32())}), tmp_path / "f.parquet")
    done = forecast(tmp_path, "--train")
    assert done.returncode == 0, done.stderr
    assert "takes over" in done.stdout
    assert pq.read_table(tmp_path / "o.parquet").num_rows == STORES * SKUS * HORIZON


def test_a_bad_bundle_is_replaced_by_the_baseline_visibly(tables):
    folder, _ = tables
    done = forecast(folder, "--bundle", str(folder))
    assert done.returncode == 0
    assert "the seasonal baseline takes over" in done.stderr


@pytest.mark.parametrize(
    ("columns", "told"), [({"store": ["s"]}, "lacks the columns"), ({}, "lacks the columns")]
)
def test_a_table_without_the_needed_columns_is_refused(tmp_path, columns, told):
    pq.write_table(pa.table(columns or {"x": [1]}), tmp_path / "h.parquet")
    pq.write_table(pa.table({"date": [FIRST]}), tmp_path / "f.parquet")
    done = forecast(tmp_path)
    assert done.returncode == 78
    assert told in done.stderr


def test_a_horizon_out_of_bounds_is_refused(tables):
    folder, _ = tables
    done = forecast(folder, "--horizon", "29")
    assert done.returncode == 78
    assert "limit is 1..28" in done.stderr
