"""What HQ tells the service manager, by the event loop that makes all pages: one that hangs tells nothing and is ended."""

import asyncio

from runtime.systemd_notify import FEEDS_A_PERIOD, ServiceNotifier

MOST_S = 5.0


async def keep_telling(notifier: ServiceNotifier) -> None:
    """Until it is cancelled. READY=1 at once: the port is open before the loop runs."""
    pause_s = min(notifier.watchdog_s / FEEDS_A_PERIOD / 2, MOST_S) if notifier.watchdog_s else MOST_S
    while True:
        notifier.progress()
        await asyncio.sleep(pause_s)
