"""`shelfloop ca`: a small certificate authority for a chain's or a shop's own brokers, in one folder of two files."""

import argparse
import ipaddress
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runtime.errors import EXIT_FAULT, EXIT_OK, OperatorError, reason_of

CA_CERT, CA_KEY = "ca.crt", "ca.key"
CA_DAYS, CERT_DAYS = 7300, 1825
"""Twenty and five years: a box that is bolted under a counter outlives a browser's 398 days."""
BACKDATED = timedelta(days=2)
"""A gateway without a battery clock may be late by a day when it first looks at its certificate."""


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0 well, 1 for a certificate that ends soon, 78 for a folder or a name to put right."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def make_ca(folder: Path, name: str, days: int = CA_DAYS) -> Path:
    """The new CA's certificate. Raises OperatorError when there is one already: a second would disown every device."""
    key_file, cert_file = folder / CA_KEY, folder / CA_CERT
    if key_file.exists() or cert_file.exists():
        raise OperatorError(f"{folder}: holds a CA already; issue from it, or name another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        _builder(subject, subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    _write(folder, key_file, _key_bytes(key), 0o600)
    _write(
        folder, cert_file, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644
    )
    return cert_file


def issue(folder: Path, names: list[str], cert_file: Path, key_file: Path, days: int = CERT_DAYS) -> None:
    """Writes a server's certificate for `names` (hosts and addresses) and its new key.

    Raises OperatorError when the CA is not there or a name cannot stand in a certificate.
    """
    ca_cert, ca_key = _ca_of(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    left = (ca_cert.not_valid_after_utc - datetime.now(UTC)).days
    builder = (
        _builder(_name(names[0]), ca_cert.subject, key.public_key(), min(days, left))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    _write(key_file.parent, key_file, _key_bytes(key), 0o600)
    signed = builder.sign(ca_key, hashes.SHA256())
    _write(cert_file.parent, cert_file, signed.public_bytes(serialization.Encoding.PEM), 0o644)


def describe(cert_file: Path) -> tuple[list[str], int]:
    """Lines for a person, and the days that are left. Raises OperatorError when the file is no certificate."""
    certificate = _certificate(cert_file)
    left = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = ", ".join(str(name.value) for name in found)
    except x509.ExtensionNotFound:
        names = "none: it is a CA"
    return [
        f"certificate: {certificate.subject.rfc4514_string()}",
        f"issued by:   {certificate.issuer.rfc4514_string()}",
        f"names:       {names}",
        f"good until:  {certificate.not_valid_after_utc:%Y-%m-%d} ({left} days)",
        f"SHA-256:     {certificate.fingerprint(hashes.SHA256()).hex(':')}",
    ], left


def _init(arguments: argparse.Namespace) -> int:
    made = make_ca(arguments.folder, arguments.name, arguments.days)
    print(f"{made}: give this to every device; {made.with_name(CA_KEY)} signs, and never leaves this machine")
    return EXIT_OK


def _issue(arguments: argparse.Namespace) -> int:
    issue(arguments.folder, arguments.names, arguments.cert, arguments.key, arguments.days)
    print(f"{arguments.cert} and {arguments.key}, for {', '.join(arguments.names)}")
    return EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    lines, left = describe(arguments.certificate)
    print("\n".join(lines))
    if left < arguments.warn_days:
        print(
            f"it ends in {left} days, which is less than {arguments.warn_days}: issue a new one",
            file=sys.stderr,
        )
        return EXIT_FAULT
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop ca",
        description=(
            "A certificate authority for the brokers of a chain or a shop: devices then trust one file, ca.crt, and no "
            "stranger's broker. Keys are P-256; ca.key is written for its owner only."
        ),
        epilog="Example: shelfloop ca init --folder ca && shelfloop ca issue --folder ca --for gw-1.shop --for 192.0.2.7 "
        "--cert broker.crt --key broker.key",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="make the CA: ca.crt and ca.key in a folder")
    init.add_argument("--folder", type=Path, required=True)
    init.add_argument(
        "--name", default="Shelfloop CA", help="what the certificate calls it (default: %(default)s)"
    )
    init.add_argument("--days", type=int, default=CA_DAYS, help="how long it is good (default: %(default)s)")
    init.set_defaults(command=_init)
    issued = commands.add_parser("issue", help="make a broker's certificate and key")
    issued.add_argument("--folder", type=Path, required=True, help="the CA's folder")
    issued.add_argument(
        "--for", dest="names", action="append", required=True, metavar="NAME",
        help="host name or address by which devices call the broker; may be repeated",
    )  # fmt: skip
    issued.add_argument("--cert", type=Path, required=True, metavar="FILE")
    issued.add_argument("--key", type=Path, required=True, metavar="FILE")
    issued.add_argument(
        "--days", type=int, default=CERT_DAYS, help="how long it is good (default: %(default)s)"
    )
    issued.set_defaults(command=_issue)
    show = commands.add_parser("show", help="say for whom a certificate is, and until when")
    show.add_argument("certificate", type=Path, metavar="FILE")
    show.add_argument("--warn-days", type=int, default=60, help="status 1 when fewer are left (default: 60)")
    show.set_defaults(command=_show)
    return parser


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    if days < 1:
        raise OperatorError(f"days {days}: a certificate must be good for a day at least")
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(text: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    except ValueError as error:
        raise OperatorError(f"name {text[:80]!r}: {error}; take 1 to 64 characters") from None


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise OperatorError(f"name {name[:80]!r}: {error}; write it as devices call it") from None


def _ca_of(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate = _certificate(folder / CA_CERT)
    try:
        key = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(f"{folder / CA_KEY}: {reason_of(error)}; it is where the CA was made") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OperatorError(f"{folder / CA_KEY}: is no elliptic-curve key; make a CA by `shelfloop ca init`")
    return certificate, key


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OperatorError(f"{path}: {reason_of(error)}; name a certificate in PEM form") from None


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(folder: Path, path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others on the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; name a folder that this user may write") from None


if __name__ == "__main__":
    sys.exit(main())
