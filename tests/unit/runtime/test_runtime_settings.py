"""Settings: file, then environment; checked whole; a bad one is named."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from runtime.errors import OperatorError
from runtime.settings import Settings, secret_from_file


class KioskSettings(Settings):
    room: ClassVar[str] = "kiosk"

    name: str = Field(description="Its name.")
    port: int = Field(1883, description="Its port.", ge=1, le=65_535)


def _file(folder: Path, text: str) -> Path:
    path = folder / "kiosk.toml"
    path.write_text(text)
    return path


def test_the_file_gives_values_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    settings = KioskSettings.load(_file(tmp_path, 'name = "one"'))
    assert (settings.name, settings.port) == ("one", 1883)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFLOOP_KIOSK_PORT", "99")
    assert KioskSettings.load(_file(tmp_path, 'name = "one"\nport = 5')).port == 99


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFLOOP_KIOSK_NAME", "two")
    assert KioskSettings.load(None).name == "two"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "name: is missing"),
        ('name = "one"\nprot = 5', "prot: is no setting"),
        ('name = "one"\nport = 0', "port: .*greater than or equal to 1, got 0"),
        ('name = "one"\nport = "many"', "port: .*got 'many'"),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_bad_setting_is_named_with_its_file(tmp_path: Path, text: str, told: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(OperatorError, match=told) as caught:
        KioskSettings.load(path)
    assert str(path) in str(caught.value)


def test_all_bad_settings_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        KioskSettings.load(_file(tmp_path, "port = 0\nprot = 1"))
    assert str(caught.value).count("\n") == 3


def test_a_misspelt_variable_of_the_environment_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFLOOP_KIOSK_NAME", "two")
    monkeypatch.setenv("SHELFLOOP_KIOSK_PROT", "1")
    with pytest.raises(OperatorError, match="SHELFLOOP_KIOSK_PROT"):
        KioskSettings.load(None)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"absent\.toml: No such file"):
        KioskSettings.load(tmp_path / "absent.toml")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = KioskSettings.load(_file(tmp_path, 'name = "one"'))
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 3


def test_a_secret_is_the_line_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("slg_abc\n")
    assert secret_from_file(str(path), "key_file") == "slg_abc"
    assert secret_from_file("", "key_file") == ""


def test_a_secret_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"key_file .*absent"):
        secret_from_file(str(tmp_path / "absent"), "key_file")
    (tmp_path / "empty").touch()
    with pytest.raises(OperatorError, match="the file is empty"):
        secret_from_file(str(tmp_path / "empty"), "key_file")
