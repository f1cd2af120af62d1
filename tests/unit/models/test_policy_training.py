import hashlib
import json

import numpy as np
import pytest

from models.__main__ import main
from models.graph import Graph
from models.policy.errors import TrainingConfigError
from models.policy.network import TARGET_FILE
from models.policy.order_graph import ORDER_FILE, OrderGraph
from models.training import policy_lessons
from models.training.policy_config import SHIPPED_CONFIG, training_from_file
from models.training.policy_fit import PolicyFit, _Rows, _start, fit_policy
from models.training.policy_lessons import Mix, collected, joined
from models.training.policy_train import solved, summary

SMALL = """
seed = 3
[[lessons]]
instances = 20
[[lessons]]
instances = 6
shares = [0.0, 1.0, 0.0, 0.0]
[fit]
epochs = 2
hidden = 8
batch = 64
"""


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    monkeypatch.setattr(policy_lessons, "MAX_WORK", 100_000)


def lessons():
    return joined(list(collected(range(12), 5, Mix())))


def test_gradients_are_those_of_the_loss():
    """Against differences, at a softness that leaves no kinks but those of whole orders."""
    found = lessons()
    rows = _Rows(found, found.features.mean(axis=0), np.maximum(found.features.std(axis=0), 1e-2))
    random = np.random.default_rng(2)
    parameters = [*_start(14, 6, 3, random), *_start(20, 6, 1, random)]
    parameters = [part.astype(np.float64) for part in parameters]
    everything = np.arange(len(found.of))

    def loss():
        return rows.gap(parameters, everything, 0.25, np.random.default_rng(1))[0]

    _, gradients = rows.gap(parameters, everything, 0.25, np.random.default_rng(1))
    for layer in (2, 4, 5, 9, 10):
        place = np.unravel_index(np.abs(gradients[layer]).argmax(), gradients[layer].shape)
        kept, step = parameters[layer][place], 1e-3
        parameters[layer][place] = kept + step
        above = loss()
        parameters[layer][place] = kept - step
        below = loss()
        parameters[layer][place] = kept
        assert gradients[layer][place] == pytest.approx((above - below) / (2 * step), rel=0.1), layer


def test_the_fit_learns():
    found, said = joined(list(collected(range(12), 5, Mix(shares=(1.0, 0.0, 0.0, 0.0))))), []
    fit_policy(found, found, PolicyFit(epochs=120, hidden=16, batch=32, rate=1e-2), said.append)
    gaps = [float(line.rsplit(" ", 2)[1]) for line in said]
    assert min(gaps) < 8 < gaps[0], gaps  # percent


def test_a_config_and_a_seed_give_the_same_bytes_and_a_card(tmp_path, capsys):
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    for name in ("first", "again"):
        assert main(["train-policy", str(tmp_path / name), "--training", str(config)]) == 0
    first, again = tmp_path / "first", tmp_path / "again"
    for file in (TARGET_FILE.name, ORDER_FILE.name):
        assert (first / file).read_bytes() == (again / file).read_bytes()
    card = json.loads((first / "policy.json").read_text())
    assert card["lessons"]["instances"] == 26
    assert card["training"]["seed"] == 3
    OrderGraph(Graph((first / ORDER_FILE.name).read_bytes(), first))
    capsys.readouterr()
    # What was solved is kept: the next run only fits.
    assert main(["train-policy", str(first), "--training", str(config)]) == 0
    assert "instances solved" not in capsys.readouterr().out


def test_kept_lessons_of_another_training_or_torn_are_solved_anew(tmp_path):
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    training = training_from_file(config)
    whole = solved(training, tmp_path / "lessons")
    path = tmp_path / "lessons" / "000020.npz"
    path.write_bytes(path.read_bytes()[:500])
    assert np.array_equal(solved(training, tmp_path / "lessons").features, whole.features)
    config.write_text(SMALL.replace("seed = 3", "seed = 4"))
    assert not np.array_equal(
        solved(training_from_file(config), tmp_path / "lessons").scales[:50], whole.scales[:50]
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("seed = 3", "seed = -3"), "seed"),
        (("seed = 3", "sed = 3"), "sed: no such field"),
        (("instances = 20", "instances = 0"), "lessons.instances"),
        (("instances = 20", "instances = 2"), "8 in all"),
        (("shares = [0.0, 1.0, 0.0, 0.0]", "shares = [0.5, 1.0]"), "lessons.shares"),
        (("epochs = 2", "epochs = 2.5"), "fit.epochs"),
        (("epochs = 2", "epoch = 2"), "fit.epoch: no such field"),
        (("[fit]", "[fit"), "TOML"),
    ],
)
def test_a_config_that_cannot_be_is_refused_by_name(tmp_path, change, says, capsys):
    config = tmp_path / "small.toml"
    config.write_text(SMALL.replace(*change))
    with pytest.raises(TrainingConfigError, match=says):
        training_from_file(config)
    assert main(["train-policy", str(tmp_path / "out"), "--training", str(config)]) == 78
    assert "training of the policy" in capsys.readouterr().err


def test_the_shipped_card_is_of_the_shipped_config_and_graphs():
    card = json.loads(ORDER_FILE.with_name("policy.json").read_text())
    assert card["training"] == json.loads(json.dumps(training_from_file(SHIPPED_CONFIG).as_json()))
    for path in (TARGET_FILE, ORDER_FILE):
        assert card["sha256"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.soak
def test_the_first_lessons_come_out_as_the_shipped_card_says(monkeypatch):
    monkeypatch.undo()
    card = json.loads(ORDER_FILE.with_name("policy.json").read_text())["lessons"]["first_part"]
    training = training_from_file(SHIPPED_CONFIG)
    part = joined(list(collected(range(500), training.seed, training.lessons[0])))
    found = summary(part, training)["first_part"]
    assert found["rows"] == pytest.approx(card["rows"], rel=2e-3)
    assert np.allclose(found["features"], card["features"], atol=5e-3)
    assert found["advantage"] == pytest.approx(card["advantage"], rel=5e-3)
