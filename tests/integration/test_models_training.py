"""The whole way: real receipts, training, export, signature, a fresh process that loads and forecasts."""

import json
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from models.__main__ import main
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.manifest import HeldOut

ROOT = Path(__file__).parents[2]
LOADS_AND_FORECASTS = """
import re, sys
from datetime import date
from pathlib import Path
import numpy as np
from models.inference import open_models
models = open_models(Path(sys.argv[1]), Path(sys.argv[2]))
assert not models.doubt, models.doubt
history = np.random.default_rng(1).poisson(2.0, (1000, 56)).astype(float)
forecast = models.demand.forecast(history, date(2017, 9, 1))
window = forecast.over_window(5)
models.replenishment.propose(window.quantiles, service_level=0.95, on_hand_units=3, pack_units=6)
assert "onnx" not in sys.modules and "pyarrow" not in sys.modules and "models.training" not in sys.modules
# Not ru_maxrss, which a child inherits from whoever started it.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def score(held_out: HeldOut, method: str):
    return next(score for score in held_out.scores if score.method.startswith(method))


@pytest.fixture(scope="module")
def retrained(tmp_path_factory):
    """A bundle of the same data with a sixth of the examples and half the passes."""
    folder = tmp_path_factory.mktemp("retrained")
    private, public = folder / "private.pem", folder / "public.pem"
    assert main(["keygen", str(private), str(public)]) == 0
    bundle = folder / "bundle"
    sizes = ["--rows", "100000", "--epochs", "5"]
    assert main(["train", str(bundle), *sizes, "--key", str(private)]) == 0
    return bundle, public


@pytest.mark.slow
def test_a_slice_retrained_scores_like_the_committed_bundle(retrained):
    """Scores, not bytes: another processor sums in another order."""
    fresh = load_bundle(*retrained).manifest.held_out
    committed = load_bundle(DEMO_BUNDLE, DEMO_PUBLIC_KEY).manifest.held_out
    assert fresh is not None
    assert committed is not None
    assert fresh.scores[0].wql == pytest.approx(committed.scores[0].wql, rel=0.03)
    assert score(fresh, "ma28").wql == score(committed, "ma28").wql
    for held_out in (fresh, committed):
        model = held_out.scores[0]
        assert model.wql < score(held_out, "ma28").wql < score(held_out, "seasonal-naive").wql
        assert model.window_wql < score(held_out, "ma28").window_wql
        assert abs(model.bias) < 0.06
        assert 0.93 < model.coverage_95 <= 0.99


@pytest.mark.slow
def test_evaluate_repeats_what_the_manifest_says(capsys):
    committed = load_bundle(DEMO_BUNDLE, DEMO_PUBLIC_KEY).manifest.held_out
    assert main(["evaluate", "--json"]) == 0
    said = capsys.readouterr().out
    found = HeldOut.model_validate_json(said[said.index("{") :])
    assert committed is not None
    # A renewed order graph adds its mark to the version; demand and its scores are as they were.
    names = [[re.sub(r"\+[0-9a-f]+", "", row.method) for row in each.scores] for each in (found, committed)]
    assert names[0] == names[1]
    for mine, theirs in zip(found.scores, committed.scores, strict=True):
        assert mine.wql == pytest.approx(theirs.wql, rel=0.005)


def test_a_gateways_process_loads_and_forecasts_within_its_memory():
    command = [sys.executable, "-c", LOADS_AND_FORECASTS, str(DEMO_BUNDLE), str(DEMO_PUBLIC_KEY)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 120


def test_a_shops_own_table_trains_a_bundle_that_loads(tmp_path, capsys):
    random = np.random.default_rng(4)
    lines = ["store,sku,date,units,category"]
    for day in range(90):
        when = date(2024, 1, 1) + timedelta(days=day)
        for sku in range(12):
            mean = (1 + sku) * (2 if when.weekday() >= 5 else 1)
            lines += [f"s-{shop},{sku},{when},{random.poisson(mean)},c{sku % 3}" for shop in range(2)]
    table, bundle = tmp_path / "sales.csv", tmp_path / "bundle"
    table.write_text("\n".join(lines))
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    assert main(["keygen", str(private), str(public)]) == 0
    data = ["--table", str(table), "--test-from", "2024-03-01"]
    assert main(["train", str(bundle), *data, "--rows", "8000", "--epochs", "4", "--key", str(private)]) == 0
    manifest = load_bundle(bundle, public).manifest
    assert manifest.training.last_day == "2024-02-29"
    assert manifest.held_out is not None
    assert score(manifest.held_out, "demand@").wql < score(manifest.held_out, "ma28").wql
    assert "epoch 4/4" in capsys.readouterr().out


def test_the_how_tos_examples_run_as_written():
    page = (ROOT / "docs/howto/models.md").read_text()
    example = "".join(part.split("```")[0] for part in page.split("```python\n")[1:])
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no doubt" in done.stdout


def test_too_little_history_is_refused_with_what_to_do(tmp_path, capsys):
    table = tmp_path / "sales.csv"
    table.write_text("store,sku,date,units\na,b,2024-01-01,1\na,b,2024-01-20,2\n")
    assert main(["train", str(tmp_path / "out"), "--table", str(table), "--test-from", "2024-01-21"]) == 78
    assert "at least 30 are needed" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_manifest_is_readable_json():
    manifest = json.loads((DEMO_BUNDLE / "manifest.json").read_text())
    assert manifest["training"]["last_day"] < manifest["held_out"]["first_day"]
