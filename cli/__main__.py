"""The `shelfloop` command: finds the sub-command, imports only its package, and turns its errors into words."""

import argparse
import importlib
import sys
from importlib import metadata

from cli.commands import COMMAND_BY_NAME, COMMANDS, OUR_PACKAGES, Command, install_advice
from runtime.errors import EXIT_BAD_CONFIG, EXIT_OK, OperatorError

EXIT_USAGE = 2
"""argparse's own status for a command line that makes no sense."""
EXIT_INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 a fault, 2 a command line that makes no sense, 78 a setting or file to put right."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _parser().print_help()
        return EXIT_OK if arguments else EXIT_USAGE
    if arguments[0] in ("--version", "version"):
        print(f"shelfloop {version()}")
        return EXIT_OK
    command = COMMAND_BY_NAME.get(arguments[0])
    if command is None:
        names = ", ".join(each.name for each in COMMANDS)
        print(f"shelfloop: no command {arguments[0]!r}; there are {names}", file=sys.stderr)
        return EXIT_USAGE
    return _run(command, arguments[1:])


def version() -> str:
    """Of the installed distribution, "unknown" when it runs from bare files."""
    try:
        return metadata.version("shelfloop")
    except metadata.PackageNotFoundError:
        return "unknown"


def _run(command: Command, arguments: list[str]) -> int:
    try:
        status = importlib.import_module(command.module).main(arguments)
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if not missing or missing in OUR_PACKAGES:
            raise  # a fault of ours, not a package that somebody forgot to install
        print(_missing_extra(command, missing), file=sys.stderr)
        return EXIT_BAD_CONFIG
    except OperatorError as error:
        print(f"shelfloop {command.name}: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIG
    except SystemExit as end:
        return _status_from_exit(end)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `head` does
        return EXIT_OK
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return int(status)


def _status_from_exit(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or EXIT_OK
    print(end.code, file=sys.stderr)
    return 1


def _missing_extra(command: Command, missing: str) -> str:
    return (
        f"shelfloop {command.name} needs the extra [{command.extra}] (the package {missing!r} is missing): "
        f"{install_advice(command.extra)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop",
        usage="shelfloop COMMAND …",
        description="Shelfloop closes the loop from the shelf to the order and the offer.",
        epilog="`shelfloop COMMAND --help` says more. Start with `shelfloop demo`.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        commands.add_parser(command.name, help=command.summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
