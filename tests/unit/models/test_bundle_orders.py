"""The order graph in a bundle: signed, checked by golden orders, left out in bundles from before, and renewed without training."""

import hashlib
import json
from datetime import date

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.__main__ import main
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import BundleError
from models.inference import checked_models, open_models
from models.manifest import GOLDEN_FILE, ORDER_FILE
from models.policy.daily import Reason
from models.signing import public_pem, sign_bundle, write_key_pair


def signed_again(folder, key, leave_out=()):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in manifest["files"]
        if name not in leave_out
    }
    path.write_text(json.dumps(manifest))
    sign_bundle(folder, key)


def without_golden_orders(folder):
    path = folder / GOLDEN_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "orders": None}))


def refused(folder, key):
    with pytest.raises(BundleError) as error:
        load_bundle(folder, public_pem(key))
    return error.value


def test_the_demos_golden_orders_meet_every_reason(demo_bundle):
    golden = json.loads((demo_bundle.path / GOLDEN_FILE).read_text())["orders"]
    met = 0
    for bits in golden["reasons"]:
        met |= bits
    assert Reason(met) == Reason(sum(Reason))
    assert min(golden["order_units"]) == 0
    assert max(golden["waste_units"]) > 0


def test_a_bundle_from_before_orders_without_the_graph(bundle_copy, other_key):
    (bundle_copy / ORDER_FILE).unlink()
    without_golden_orders(bundle_copy)
    signed_again(bundle_copy, other_key, leave_out=(ORDER_FILE,))
    models = checked_models(bundle_copy, public_pem(other_key))
    assert (models.orders, models.order_graph, models.doubt) == (None, "", "")


def test_a_graph_that_the_manifest_does_not_name_is_not_used(bundle_copy, other_key):
    """Whoever lays a file beside a signed bundle changes nothing."""
    signed_again(bundle_copy, other_key, leave_out=(ORDER_FILE,))
    assert checked_models(bundle_copy, public_pem(other_key)).orders is None


def test_an_order_graph_of_which_the_golden_answers_say_nothing_is_refused(bundle_copy, other_key):
    without_golden_orders(bundle_copy)
    signed_again(bundle_copy, other_key)
    error = refused(bundle_copy, other_key)
    assert (error.check, error.why) == ("golden", "nothing is said of the order graph")


def test_an_order_graph_that_computes_otherwise_is_refused(bundle_copy, other_key):
    path = bundle_copy / ORDER_FILE
    model = onnx.load_model_from_string(path.read_bytes())
    weights = max(model.graph.initializer, key=lambda each: int(np.prod(each.dims)))
    values = numpy_helper.to_array(weights) * np.float32(1.05)
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    path.write_bytes(model.SerializeToString())
    signed_again(bundle_copy, other_key)
    assert "differs by up to" in refused(bundle_copy, other_key).why
    assert "differs by up to" in open_models(bundle_copy, public_pem(other_key)).doubt


def test_an_order_graph_of_another_shape_is_refused(bundle_copy, other_key):
    path = bundle_copy / ORDER_FILE
    model = onnx.load_model_from_string(path.read_bytes())
    cover = next(each for each in model.graph.input if each.name == "lead_mean_units")
    cover.type.tensor_type.shape.dim[1].dim_value = 5
    path.write_bytes(model.SerializeToString())
    signed_again(bundle_copy, other_key)
    assert refused(bundle_copy, other_key).check == "graph"


def test_renewing_gives_this_releases_graph_and_leaves_the_forecasts(
    bundle_copy, tmp_path, capsys, histories
):
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    write_key_pair(private, public)
    (bundle_copy / ORDER_FILE).unlink()
    without_golden_orders(bundle_copy)
    assert main(["renew-orders", str(bundle_copy), "--key", str(private)]) == 0
    models, demo = checked_models(bundle_copy, public), open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
    assert models.orders is not None
    assert models.name.startswith("demo@")
    assert models.name.endswith("+" + models.order_graph[:8])
    assert models.name in capsys.readouterr().out
    mine, theirs = (each.demand.forecast(histories[:20], date(2017, 9, 1)) for each in (models, demo))
    assert np.array_equal(mine.mean, theirs.mean)


def test_renewing_what_is_no_bundle_says_so(bundle_copy, tmp_path, capsys):
    private = tmp_path / "private.pem"
    write_key_pair(private, tmp_path / "public.pem")
    (bundle_copy / GOLDEN_FILE).write_text("[]")
    assert main(["renew-orders", str(bundle_copy), "--key", str(private)]) == 78
    assert "give a bundle's folder" in capsys.readouterr().err
    assert main(["renew-orders", str(tmp_path), "--key", str(private)]) == 78
    assert "manifest.json" in capsys.readouterr().err
