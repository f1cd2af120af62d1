import hashlib
import json

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, load_bundle
from models.errors import BundleError
from models.manifest import SIGNED_FILES
from models.signing import KeyFileError, private_key_from, public_pem, sign_bundle, write_key_pair


def changed_manifest(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def signed_again(folder, key):
    """As a trainer would who hashes and signs whatever is there."""
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SIGNED_FILES}
    changed_manifest(folder, lambda manifest: manifest.update(files=hashes))
    sign_bundle(folder, key)


def refused(folder, key, check):
    with pytest.raises(BundleError) as error:
        load_bundle(folder, key)
    assert error.value.check == check
    assert str(error.value.path) in str(error.value)
    assert error.value.next_step in str(error.value)
    return error.value


def test_the_demo_bundle_is_good_and_small(demo_bundle):
    assert demo_bundle.name.startswith("demo@")
    assert sum(path.stat().st_size for path in DEMO_BUNDLE.iterdir()) < 1_000_000


def test_no_private_key_lies_beside_the_bundle():
    kept = [path.read_bytes() for path in DEMO_BUNDLE.parent.rglob("*") if path.is_file()]
    assert not any(b"PRIVATE KEY" in content for content in kept)


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", DEMO_PUBLIC_KEY, "folder")


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", *SIGNED_FILES])
def test_a_missing_file_is_named(bundle_copy, name):
    (bundle_copy / name).unlink()
    assert refused(bundle_copy, DEMO_PUBLIC_KEY, "folder").path.name == name


def test_another_key_is_refused(bundle_copy, other_key):
    refused(bundle_copy, public_pem(other_key), "signature")


def test_a_changed_manifest_is_refused(bundle_copy):
    changed_manifest(bundle_copy, lambda manifest: manifest.update(correlation=0.0))
    refused(bundle_copy, DEMO_PUBLIC_KEY, "signature")


def test_a_signature_that_is_no_base64_is_refused(bundle_copy):
    (bundle_copy / "manifest.sig").write_bytes(b"\xff not base64")
    refused(bundle_copy, DEMO_PUBLIC_KEY, "signature")


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_a_changed_file_is_refused(bundle_copy, name):
    path = bundle_copy / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert refused(bundle_copy, DEMO_PUBLIC_KEY, "files").path.name == name


def test_a_truncated_graph_is_refused_even_when_signed(bundle_copy, other_key):
    path = bundle_copy / "demand.onnx"
    path.write_bytes(path.read_bytes()[:2000])
    signed_again(bundle_copy, other_key)
    refused(bundle_copy, public_pem(other_key), "graph")


def test_a_graph_of_other_shape_is_refused_even_when_signed(bundle_copy, other_key):
    path = bundle_copy / "demand.onnx"
    path.write_bytes((bundle_copy / "replenishment.onnx").read_bytes())
    signed_again(bundle_copy, other_key)
    refused(bundle_copy, public_pem(other_key), "graph")


def test_a_graph_that_computes_otherwise_is_refused_even_when_signed(bundle_copy, other_key):
    path = bundle_copy / "demand.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    bias = max((c for c in model.graph.initializer if list(c.dims) == [48]), key=lambda c: c.name)
    values = onnx.numpy_helper.to_array(bias) + np.float32(0.05)
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    path.write_bytes(model.SerializeToString())
    signed_again(bundle_copy, other_key)
    assert "differs by up to" in refused(bundle_copy, public_pem(other_key), "golden").why


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda manifest: manifest["features"].update(sha256="0" * 64), "features"),
        (lambda manifest: manifest["features"]["names"].reverse(), "features"),
        (lambda manifest: manifest.update(quantile_levels=[0.5]), "features"),
        (lambda manifest: manifest.update(correlation=7), "manifest"),
        (lambda manifest: manifest.update(surprise=1), "manifest"),
        (lambda manifest: manifest.pop("training"), "manifest"),
    ],
)
def test_a_lying_manifest_is_refused_even_when_signed(bundle_copy, other_key, change, check):
    changed_manifest(bundle_copy, change)
    sign_bundle(bundle_copy, other_key)
    refused(bundle_copy, public_pem(other_key), check)


def test_golden_examples_that_are_none_are_refused(bundle_copy, other_key):
    (bundle_copy / "golden.json").write_text("{}")
    signed_again(bundle_copy, other_key)
    refused(bundle_copy, public_pem(other_key), "golden")


def test_a_public_key_that_is_none_is_refused(tmp_path):
    refused(DEMO_BUNDLE, tmp_path / "absent.pem", "public key")
    refused(DEMO_BUNDLE, b"no pem", "public key")
    of_other_kind = rsa.generate_private_key(65537, 2048).public_key()
    pem = of_other_kind.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    refused(DEMO_BUNDLE, pem, "public key")
    ours = DEMO_PUBLIC_KEY.read_bytes()
    refused(DEMO_BUNDLE, ours.replace(b"MCow", b"MC!w"), "public key")
    refused(DEMO_BUNDLE, ours[:60], "public key")


def test_a_key_pair_signs_what_its_public_half_verifies(bundle_copy, tmp_path):
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    write_key_pair(private, public)
    assert private.stat().st_mode & 0o077 == 0
    sign_bundle(bundle_copy, private_key_from(private))
    assert load_bundle(bundle_copy, public).name == load_bundle(bundle_copy, public.read_bytes()).name


def test_a_key_is_never_overwritten(tmp_path):
    write_key_pair(tmp_path / "private.pem", tmp_path / "public.pem")
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_key_pair(tmp_path / "private.pem", tmp_path / "other.pem")


def test_a_private_key_that_is_none_is_refused(tmp_path, other_key):
    (tmp_path / "public.pem").write_bytes(public_pem(other_key))
    for name in ("absent.pem", "public.pem"):
        with pytest.raises(KeyFileError, match=name):
            private_key_from(tmp_path / name)
