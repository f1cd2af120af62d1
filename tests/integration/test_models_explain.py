"""`shelfloop models explain` asks a real centre."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from central_rig import STORE, CentreProcess, Gateway, running
from central_rows import level, proposal
from test_central_loop import set_up_store

from models.__main__ import main


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[CentreProcess]:
    yield from running(CentreProcess(tmp_path))


def test_an_open_order_is_explained_in_words_and_as_a_picture(centre, tmp_path, capsys):
    set_up_store(centre.client())
    gateway = Gateway(centre, centre.add_gateway())
    gateway.send()
    gateway.send(level(on_hand=3), proposal(units=24))
    centre.wait_quiet()
    token, picture = tmp_path / "token", tmp_path / "why.svg"
    token.write_text(centre.token("hq"))
    common = ["explain", "--store", STORE, "--central", centre.url, "--token-file", str(token)]
    assert main([*common, "--sku", "sku-1", "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "Good 1 (sku-1) in store-1" in said
    assert "target" in said
    assert "because" in said
    assert "computed again" in said
    texts = [node.text or "" for node in ET.parse(picture).iter() if node.tag.endswith("text")]
    assert any(text.startswith("target ") for text in texts)
    assert any(text.startswith("order ") for text in texts)

    assert main([*common, "--sku", "sku-2", "--picture", str(picture)]) == 0
    assert "none is open" in capsys.readouterr().out

    assert main([*common, "--sku", "sku-99"]) == 1
    assert "404" in capsys.readouterr().err
    token.write_text("slk_wrong")
    assert main([*common, "--sku", "sku-1"]) == 1
    assert "401" in capsys.readouterr().err
    assert main(["explain", "--store", "s", "--sku", "x", "--token-file", str(tmp_path / "none")]) == 78
