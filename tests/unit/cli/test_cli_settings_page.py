"""docs/settings.md says what the settings classes say, and no setting is without a word."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from cli import settings_docs
from cli.settings_docs import SETTINGS_MODULES, settings_class, settings_page
from runtime.settings import Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), "run: make settings-page"


@pytest.mark.parametrize("room", SETTINGS_MODULES)
def test_every_setting_has_a_description_and_stands_in_the_page(room: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"## {room}\n")[1].split("\n## ")[0]
    for name, info in settings_class(room).model_fields.items():
        assert info.description, name
        assert f"| `{name}` |" in section


def test_a_setting_without_a_word_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    class MuteSettings(Settings):
        room: ClassVar[str] = "mute"

        told: int = Field(1, description="Something.")
        secret: int = 2

    monkeypatch.setattr(settings_docs, "settings_class", lambda _: MuteSettings)
    with pytest.raises(LookupError, match=r"setting secret of \w+ has no description"):
        settings_page()


def test_every_room_that_runs_has_its_settings_in_the_page() -> None:
    root = PAGE.parents[1]
    with_settings = {path.parent.name for path in root.glob("*/settings.py")} - {"runtime"}
    assert with_settings == {module.split(".")[0] for module in SETTINGS_MODULES.values()}
