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
    assert "Exit status: 0 done; 1 the centre did not answer" in " ".join(said.split())


def test_verify_and_info_default_to_the_demo_bundle(capsys):
    assert main(["verify"]) == 0
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    assert "is good" in said
    assert "seasonal-naive" in said
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "demo"


def test_a_bad_bundle_exits_78_and_says_which_check(capsys, tmp_path):
    assert main(["verify", str(tmp_path / "none")]) == 78
    assert "'folder'" in capsys.readouterr().err


def test_a_bad_table_exits_78(capsys, tmp_path):
    assert main(["train", str(tmp_path / "out"), "--table", str(tmp_path / "none.csv")]) == 78
    assert "cannot read" in capsys.readouterr().err


def test_a_path_that_cannot_be_written_exits_78(capsys, tmp_path):
    assert main(["keygen", str(tmp_path / "no" / "k.pem"), str(tmp_path / "p.pem")]) == 78
    assert "k.pem: No such file or directory" in capsys.readouterr().err


def test_a_centre_that_does_not_answer_is_a_fault_and_a_missing_token_file_is_not(capsys, tmp_path):
    token = tmp_path / "token"
    token.write_text("slt_some")
    token.chmod(0o600)
    words = ["explain", "--central", "http://127.0.0.1:9", "--store", "s", "--sku", "k", "--token-file"]
    assert main([*words, str(token)]) == 1
    assert "is the centre up" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "none")]) == 78


def test_senseless_sizes_are_wrong_usage(capsys, tmp_path):
    assert main(["train", str(tmp_path), "--rows", "5"]) == 2


def test_keygen_sign_and_verify_work_together(capsys, tmp_path, bundle_copy):
    private, public = tmp_path / "k.pem", tmp_path / "p.pem"
    assert main(["keygen", str(private), str(public)]) == 0
    assert main(["sign", str(bundle_copy), "--key", str(private)]) == 0
    assert main(["verify", str(bundle_copy), "--public-key", str(public)]) == 0
    assert main(["verify", str(bundle_copy)]) == 78
    assert main(["keygen", str(private), str(public)]) == 78
    assert main(["sign", str(tmp_path), "--key", str(private)]) == 78
    assert DEMO_BUNDLE.is_dir()


def test_a_configuration_that_cannot_be_is_refused_by_name(capsys, tmp_path):
    config = tmp_path / "train.toml"
    for text, told in (
        ('form = "weird"', "form is 'weird'; it is one of gateway, heavy"),
        ('table = "a.csv"\nledger = "b.db"', "names a table and a ledger"),
    ):
        config.write_text(text)
        assert main(["train", str(tmp_path / "out"), "--config", str(config)]) == 78
        assert told in capsys.readouterr().err


def test_a_source_on_the_command_line_beats_that_of_the_configuration(capsys, tmp_path):
    config = tmp_path / "train.toml"
    config.write_text(f'form = "heavy"\nledger = "{tmp_path}/no.db"')
    assert main(["train", str(tmp_path / "out"), "--config", str(config)]) == 78
    assert "no.db" in capsys.readouterr().err
    mine = tmp_path / "mine.csv"
    assert main(["train", str(tmp_path / "out"), "--config", str(config), "--table", str(mine)]) == 78
    assert f"there is no file {mine}" in capsys.readouterr().err


def test_a_forecast_that_could_not_be_written_is_refused_before_the_work(capsys, tmp_path):
    (tmp_path / "h.csv").write_text("store,sku,date,units\ns,k,2024-01-01,1\n")
    for out in (tmp_path / "none" / "o.csv", tmp_path / "o.txt"):
        words = ["forecast", "--history", str(tmp_path / "h.csv"), "--horizon", "2", "--out", str(out)]
        assert main(words) == 78
        said = capsys.readouterr()
        assert f"--out is {out}" in said.err
        assert "series x" not in said.out
