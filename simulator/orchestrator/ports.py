"""Free loopback ports."""

import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below the ports that systems give to outgoing connections: one of those could sit on a port while its owner is restarted."""
TRIES = 2000


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports that nobody listened on just now. Raises OSError when there are not so many."""
    found: list[int] = []
    # The system's randomness: two demos that start at once must not look in the same order.
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), TRIES):
        if len(found) == count:
            break
        if port_is_free(port):
            found.append(port)
    if len(found) < count:
        raise OSError(f"only {len(found)} of {count} ports are free on 127.0.0.1 among {TRIES} tried")
    return found


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
