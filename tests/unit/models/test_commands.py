import json

import pytest

from models.__main__ import main
from models.bundle import DEMO_BUNDLE


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("keygen", "train", "evaluate", "sign", "verify", "info"))


def test_verify_and_info_default_to_the_demo_bundle(capsys):
    assert main(["verify"]) == 0
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    assert "is good" in said
    assert "seasonal-naive" in said
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "demo"


def test_a_bad_bundle_exits_1_and_says_which_check(capsys, tmp_path):
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "'folder'" in capsys.readouterr().err


def test_a_bad_table_exits_1(capsys, tmp_path):
    assert main(["train", str(tmp_path / "out"), "--table", str(tmp_path / "none.csv")]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_a_path_that_cannot_be_written_exits_1(capsys, tmp_path):
    assert main(["keygen", str(tmp_path / "no" / "k.pem"), str(tmp_path / "p.pem")]) == 1
    assert "k.pem: No such file or directory" in capsys.readouterr().err


def test_senseless_sizes_are_wrong_usage(capsys, tmp_path):
    assert main(["train", str(tmp_path), "--rows", "5"]) == 2


def test_keygen_sign_and_verify_work_together(capsys, tmp_path, bundle_copy):
    private, public = tmp_path / "k.pem", tmp_path / "p.pem"
    assert main(["keygen", str(private), str(public)]) == 0
    assert main(["sign", str(bundle_copy), "--key", str(private)]) == 0
    assert main(["verify", str(bundle_copy), "--public-key", str(public)]) == 0
    assert main(["verify", str(bundle_copy)]) == 1
    assert main(["keygen", str(private), str(public)]) == 1
    assert main(["sign", str(tmp_path), "--key", str(private)]) == 1
    assert DEMO_BUNDLE.is_dir()
