"""The same training and scoring on a cluster of two Ray nodes as in one process. `make soak`, with the extra `ray`."""

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
import json, sys, time
from datetime import date
from pathlib import Path
import numpy as np
import ray
from ray.cluster_utils import Cluster
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

random = np.random.default_rng(4)
level = random.gamma(1.5, 3, (120, 1))
units = random.poisson(level * (1 + (np.arange(110) % 7 == 5))).astype(np.float32)
panel = Panel(date(2024, 1, 1), units, groups={"store": np.arange(120) % 6, "sku": np.arange(120) // 6})
recipe = Recipe(Draw(rows=8000, evenings=12, horizon_days=14), QuantileFit(hidden=(16,), epochs=2, networks=3), partitions=4)
plan, folder = HeavyPlan("a test", None, recipe), Path(sys.argv[1])
build_heavy(folder / "alone" / "chain", panel, plan, lambda text: None, ThisProcess())
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
try:
    with ray_workers(cluster.address) as workers:
        used = set(workers.map(busy_where, [(number,) for number in range(4)]))
        build_heavy(folder / "cluster" / "chain", panel, plan, lambda text: None, workers)
finally:
    cluster.shutdown()
print(json.dumps({"nodes": len(used)}))
"""


def test_two_nodes_give_the_numbers_of_one_process(tmp_path):
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = one_thread | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TRAINS_BOTH_WAYS, str(tmp_path)], capture_output=True, text=True, timeout=600,
        env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.strip().splitlines()[-1])["nodes"] == 2
    for name in ("networks.npz", "model.json", "CARD.md"):
        alone, cluster = (tmp_path / where / "chain" / name for where in ("alone", "cluster"))
        assert alone.read_bytes() == cluster.read_bytes()
