"""The same training and back-testing on a cluster of two Ray nodes as in one process. `make soak`, which installs Ray."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="NOT TESTED: no Ray here: pip install -c constraints.txt '.[ray]'",
    ),
]
ROOT = Path(__file__).parents[2]
TRAINS_BOTH_WAYS = """
import contextlib, io, json, os, sys, time
from datetime import date
from pathlib import Path
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.cluster_utils import Cluster
from models.__main__ import main
from models.bundle import DEMO_BUNDLE
from models.panel import Panel
from models.training.heavy_build import HeavyPlan, build_heavy
from models.training.heavy_training import Recipe
from models.training.panel_examples import Draw
from models.training.quantile_fit import QuantileFit
from models.training.ray_workers import ray_workers
from models.training.workers import ThisProcess

def busy_where(number):
    time.sleep(3)  # longer than it takes to hand the second part to the other node: each has one core
    return ray.get_runtime_context().get_node_id()

def said(words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(words) == 0, words
    return out.getvalue()

random = np.random.default_rng(4)
level = random.gamma(1.5, 3, (120, 1))
units = random.poisson(level * (1 + (np.arange(110) % 7 == 5))).astype(np.float32)
panel = Panel(date(2024, 1, 1), units, groups={"store": np.arange(120) % 6, "sku": np.arange(120) // 6})
recipe = Recipe(Draw(rows=8000, evenings=12, horizon_days=14), QuantileFit(hidden=(16,), epochs=2, networks=3), partitions=4)
plan, folder = HeavyPlan("a test", None, recipe), Path(sys.argv[1])
series, day = (axis.ravel() for axis in np.indices(units.shape))
columns = {"store": [f"s{n % 6}" for n in series], "sku": [f"k{n // 6}" for n in series]}
columns |= {"date": [panel.day(int(n)) for n in day], "units": units.ravel()}
pq.write_table(pa.table(columns), folder / "sales.parquet")
build_heavy(folder / "alone" / "chain", panel, plan, lambda text: None, ThisProcess())
model, table = str(folder / "alone" / "chain"), ["--table", str(folder / "sales.parquet"), "--json"]
tests = [["evaluate", model, *table], ["compare", model, str(DEMO_BUNDLE), *table, "--partitions", "3"]]
alone = [said(words) for words in tests]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
try:
    with ray_workers(cluster.address) as workers:
        used = set(workers.map(busy_where, [(number,) for number in range(4)]))
        build_heavy(folder / "cluster" / "chain", panel, plan, lambda text: None, workers)
    together = [said([*words, "--ray", cluster.address]) for words in tests]
finally:
    cluster.shutdown()
print(json.dumps({"nodes": len(used), "alone": alone, "together": together}))
"""


def test_two_nodes_give_the_numbers_of_one_process(tmp_path):
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = one_thread | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TRAINS_BOTH_WAYS, str(tmp_path)], capture_output=True, text=True, timeout=600,
        env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["nodes"] == 2
    assert found["together"] == found["alone"]
    evaluated, compared = (json.loads(each) for each in found["alone"])
    assert {"chain", "ma28-negbin"} <= {row["method"] for row in evaluated}
    assert any(row["value"] for row in compared if row["method"] == "B - A")
    for name in ("networks.npz", "model.json", "CARD.md"):
        alone, cluster = (tmp_path / where / "chain" / name for where in ("alone", "cluster"))
        assert alone.read_bytes() == cluster.read_bytes()
