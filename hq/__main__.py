"""`shelfloop hq`: run the pages, or check their settings."""

import argparse
import sys
from pathlib import Path

from hq.settings import HqSettings
from runtime.errors import EXIT_BAD_CONFIG, EXIT_OK, OperatorError
from runtime.logs import start_logging
from runtime.settings import secret_from_file


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0, or 78 for a setting that a person must mend."""
    arguments = _parser().parse_args(argv)
    try:
        settings = HqSettings.load(arguments.config)
        if arguments.command == "check":
            secret_from_file(settings.token_file, "token_file")
            print(f"{arguments.config or 'the environment'}: settings are good")
            return EXIT_OK
        start_logging(settings.log_level)
        from hq.web import serve  # noqa: PLC0415 - `check` and `--help` need no web framework

        serve(settings)
    except OperatorError as error:
        print(f"shelfloop hq: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIG
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shelfloop hq", description="HQ's pages over the centre's API.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "serve the pages until Ctrl-C"),
        ("check", "check the settings and say what is wrong"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--config", type=Path, help="hq.toml; without it all settings come from the environment"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
