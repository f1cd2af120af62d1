"""`shelfloop ca`: its certificates are what OpenSSL and Python's ssl take for good."""

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.ca import describe, issue, make_ca
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, OperatorError

OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ca")
    make_ca(folder / "ca", "Shop CA")
    issue(folder / "ca", ["gw-1.shop", "192.0.2.7"], folder / "broker.crt", folder / "broker.key")
    return folder


def _handshake(made: Path, ca: Path, host: str) -> str:
    """What a client that trusts `ca` and asks for `host` says: "" when it is content."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / "broker.crt", made / "broker.key")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_verify_locations(ca)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        ours.close()
        thread.join(60)


def test_a_client_that_trusts_the_ca_is_content_with_each_name(made: Path) -> None:
    assert [_handshake(made, made / "ca/ca.crt", host) for host in ("gw-1.shop", "192.0.2.7")] == ["", ""]


def test_another_name_and_another_ca_are_refused(made: Path, tmp_path: Path) -> None:
    assert "gw-2.shop" in _handshake(made, made / "ca/ca.crt", "gw-2.shop")
    make_ca(tmp_path / "strange", "Shop CA")  # of the same name
    assert _handshake(made, tmp_path / "strange/ca.crt", "gw-1.shop")


@pytest.mark.skipif(OPENSSL is None, reason="NOT TESTED: openssl is not installed")
def test_openssl_takes_them_for_good(made: Path) -> None:
    done = subprocess.run(
        [str(OPENSSL), "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(made / "ca/ca.crt"),
         str(made / "broker.crt")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip().endswith("OK"), done.stderr
    as_ca = subprocess.run(
        [str(OPENSSL), "verify", "-CAfile", str(made / "broker.crt"), str(made / "broker.crt")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert as_ca.returncode != 0, "a broker's certificate signs nothing"


def test_keys_are_their_owners_only(made: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (made / "ca/ca.key", made / "broker.key")}
    assert modes == {"ca.key": 0o600, "broker.key": 0o600}
    assert not list(made.rglob(".*"))


def test_a_second_ca_in_the_same_folder_would_disown_every_device(made: Path) -> None:
    before = (made / "ca/ca.crt").read_bytes()
    with pytest.raises(OperatorError, match="holds a CA already"):
        make_ca(made / "ca", "Other")
    assert (made / "ca/ca.crt").read_bytes() == before


def test_show_warns_before_the_end(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = made / "short.crt"
    issue(made / "ca", ["gw-1.shop"], short, made / "short.key", days=30)
    assert main(["ca", "show", str(made / "broker.crt")]) == 0
    assert "gw-1.shop, 192.0.2.7" in capsys.readouterr().out
    assert main(["ca", "show", str(short)]) == EXIT_FAULT
    assert "issue a new one" in capsys.readouterr().err


def test_a_certificate_never_outlives_its_ca(tmp_path: Path) -> None:
    make_ca(tmp_path / "ca", "Short", days=100)
    issue(tmp_path / "ca", ["a"], tmp_path / "a.crt", tmp_path / "a.key")
    assert describe(tmp_path / "a.crt")[1] <= 100


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["issue", "--folder", "{made}/none", "--for", "a", "--cert", "{made}/x", "--key", "{made}/y"], "ca.crt"),
        (["issue", "--folder", "{made}/ca", "--for", "schön", "--cert", "{made}/x", "--key", "{made}/y"], "schön"),
        (["issue", "--folder", "{made}/ca", "--for", "a", "--days", "0", "--cert", "{made}/x", "--key", "{made}/y"],
         "days 0"),
        (["init", "--folder", "{made}/other", "--name", ""], "name ''"),
        (["show", "{made}/broker.key"], "broker.key"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_named(
    made: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ca", *(word.format(made=made) for word in words)]) == EXIT_BAD_CONFIG
    assert told in capsys.readouterr().err
    assert not (made / "x").exists()
