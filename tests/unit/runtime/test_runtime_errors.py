"""What went wrong, in the system's words and no others."""

import socket
import ssl
from pathlib import Path
from urllib.error import URLError

import pytest

from runtime.errors import reason_of


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "key.pem"), "No such file or directory"),
        (URLError(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (URLError(socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
        (URLError("unknown url type: ftp"), "<urlopen error unknown url type: ftp>"),
        (TimeoutError("timed out"), "timed out"),
        (ValueError("line 3"), "line 3"),
        (ssl.SSLError(1, "[X509] PEM lib"), "[X509] PEM lib"),
        (KeyError(), "KeyError"),
    ],
)
def test_the_words_hold_neither_number_nor_path(error: Exception, told: str) -> None:
    assert reason_of(error).endswith(told)
    assert "[Errno" not in reason_of(error)


def test_a_real_missing_file_reads_plainly(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised:
        (tmp_path / "absent").read_text()
    assert reason_of(raised.value) == "No such file or directory"
