"""Where a webhook may go: names are resolved by us, every address is checked, and the connection goes to a checked one."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from central.errors import SenderError


@dataclass(frozen=True, slots=True)
class Target:
    """url: with the checked address in place of the name; host: the name, for the Host header and TLS."""

    url: str
    host_header: str
    server_name: str


def checked_target(url: str, *, allow_private: bool) -> Target:
    """Raises SenderError for what is no http(s) URL, does not resolve, or leads to a private address."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise SenderError(f"url {url[:80]!r}: the port is no number from 1 to 65535") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SenderError(f"url {url[:80]!r} must be http://host/… or https://host/…")
    if parts.username is not None or parts.password is not None:
        raise SenderError("url must not carry a user or password; the signature shows who sends")
    address = _address_of(
        parts.hostname, port or (443 if parts.scheme == "https" else 80), allow_private=allow_private
    )
    shown = f"[{address}]" if ":" in address else address
    netloc = shown if port is None else f"{shown}:{port}"
    path = parts.path or "/"
    return Target(urlunsplit((parts.scheme, netloc, path, parts.query, "")), parts.netloc, parts.hostname)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""An IPv4 address stands in the last four bytes. Source: RFC 6052; 64:ff9b:1::/48 is private by RFC 8215."""
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")


def _is_public(text: str) -> bool:
    """Whether the address, and each that a gateway on the way would take out of it, is one of the open net."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        inside = [each for each in inner if each is not None]
        if inside:
            return all(_is_public(str(each)) for each in inside)
        if address in _NAT64_LOCAL:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _address_of(host: str, port: int, *, allow_private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SenderError(f"url: the host {host[:80]!r} does not resolve") from None
    addresses = [str(entry[4][0]) for entry in found]
    # One private address among public ones is enough to refuse: the next look-up may choose it.
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise SenderError(
                f"url: {host[:80]} is at {address}, not a public address; set allow_private_webhooks to allow it"
            )
    return addresses[0]
