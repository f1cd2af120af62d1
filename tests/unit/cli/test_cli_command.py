"""The `shelfloop` command: finds sub-commands, and turns what stops them into words and a status."""

import subprocess
import sys
import types
from collections.abc import Callable

import pytest

from cli.__main__ import main
from cli.commands import COMMANDS
from runtime.errors import EXIT_BAD_CONFIG, OperatorError


def _pretend(monkeypatch: pytest.MonkeyPatch, module: str, body: Callable[[list[str]], int]) -> None:
    stand_in = types.ModuleType(module)
    stand_in.main = body  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, stand_in)


def test_help_names_every_command_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"{command.name} " in shown
        assert command.summary.split()[0] in shown


def test_no_command_prints_the_help_and_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "demo" in capsys.readouterr().out


def test_an_unknown_command_is_named_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sell"]) == 2
    told = capsys.readouterr().err
    assert "'sell'" in told
    assert "edge" in told


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("shelfloop ")


def test_the_rest_of_the_line_goes_to_the_sub_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    _pretend(monkeypatch, "edge.__main__", lambda argv: seen.append(argv) or 3)  # type: ignore[func-returns-value]
    assert main(["edge", "run", "--config", "x.toml", "--help"]) == 3
    assert seen == [["run", "--config", "x.toml", "--help"]]


def test_a_missing_package_names_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def need_it(_: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'nicegui'", name="nicegui.ui")

    _pretend(monkeypatch, "hq.__main__", need_it)
    assert main(["hq", "run"]) == EXIT_BAD_CONFIG
    told = capsys.readouterr().err
    assert "shelfloop hq needs the extra [hq]" in told
    assert "pip install -c constraints.txt '.[hq]'" in told
    assert "pip install 'shelfloop[hq]'" in told


def test_a_missing_module_of_our_own_is_a_fault_and_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'edge.lost'", name="edge.lost")

    _pretend(monkeypatch, "edge.__main__", broken)
    with pytest.raises(ModuleNotFoundError):
        main(["edge", "run"])


def test_what_an_operator_must_put_right_ends_with_78_and_its_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(_: list[str]) -> int:
        raise OperatorError("broker_port 99999: too large")

    _pretend(monkeypatch, "edge.__main__", bad)
    assert main(["edge", "run"]) == EXIT_BAD_CONFIG
    assert "shelfloop edge: broker_port 99999: too large" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (2, 2), ("told you", 1)])
def test_sys_exit_of_a_sub_command_becomes_its_status(
    monkeypatch: pytest.MonkeyPatch, code: object, status: int
) -> None:
    def leave(_: list[str]) -> int:
        raise SystemExit(code)

    _pretend(monkeypatch, "edge.__main__", leave)
    assert main(["edge"]) == status


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    _pretend(monkeypatch, "edge.__main__", interrupted)
    assert main(["edge"]) == 130


def test_help_imports_no_room() -> None:
    code = (
        "import sys; from cli.__main__ import main; main(['--help']);"
        "sys.exit(','.join({'edge','central','hq','models','simulator','firmware_bridge'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_sub_command_has_a_help_that_suffices(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "usage" in shown
    assert len(shown) > 150
