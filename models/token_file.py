"""A token of the centre's API, from the file that holds nothing else."""

from pathlib import Path

from models.errors import ModelsError

MOST_LETTERS = 4096


class TokenFileError(ModelsError):
    """The operator must act: the file holds no token. What it holds is never said: it may be another secret."""


def token_from(path: Path) -> str:
    """Its one line. Raises TokenFileError that names the file."""
    wanted = "it must hold one token in one line, as `shelfloop central token create` prints it"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TokenFileError(f"--token-file {path}: {error.strerror}; {wanted}") from None
    token = content.strip()
    # Between ! and ~: a header cannot carry anything else, and libraries repeat what they refuse.
    if not 0 < len(token) <= MOST_LETTERS or not all(0x21 <= letter <= 0x7E for letter in token):
        lines = len(content.splitlines())
        raise TokenFileError(
            f"--token-file {path}: {lines} lines, {len(content)} bytes are no token; {wanted}"
        )
    return token.decode("ascii")
