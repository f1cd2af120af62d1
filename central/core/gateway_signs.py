"""What is out of order at a gateway, from what it tells of itself and from what the centre noticed."""

from collections.abc import Iterator
from dataclasses import dataclass

from central.core.identity import LEASE_MS
from contract.api.gateways import GatewaySign, TwinView
from contract.devices import ClockQuality
from contract.gateway_state import GatewayState

SLOW_COMMIT_MS, STALLED_COMMIT_MS = 2_000, 10_000
"""A commit takes 20 to 300 ms on an SD card that is well; ten seconds is a card at its end."""
FILLING_SHARE, FULL_SHARE = 0.7, 0.95
"""Of the room for unsent records; at 95 % the gateway begins to sum old windows up (edge.backlog)."""
LATE_MS = 15 * 60_000
CLOCK_OFF_MS = 60_000


@dataclass(frozen=True, slots=True)
class Watched:
    """One gateway. ahead_ms: of its clock, before the centre's. is_simulated: shop time runs as it likes; none is judged."""

    gateway: str
    online: bool
    state: GatewayState | None
    ahead_ms: int
    twin: TwinView | None
    is_simulated: bool = False


def signs_of(seen: Watched, now_ms: int) -> list[GatewaySign]:
    """The worst first; empty when all is well."""
    found = [*_twin(seen, now_ms), *_disk(seen.state), *_outbox(seen), *_silence(seen), *_clock(seen)]
    return sorted(found, key=lambda sign: sign.tone != "bad")


def is_twin_active(twin: TwinView, now_ms: int) -> bool:
    """Whether the second box has spoken lately; later it is history."""
    return now_ms - twin.last_ms < LEASE_MS


def _twin(seen: Watched, now_ms: int) -> Iterator[GatewaySign]:
    twin = seen.twin
    if twin is None or not is_twin_active(twin, now_ms):
        return
    hosts = f"{twin.heard_host or 'one box'} is heard, {twin.host or 'the other'} was refused {twin.refusals} times"
    yield _sign(
        "twin", "bad", f"two boxes speak as {seen.gateway}: {hosts}",
        "Stop the box that does not belong here (systemctl disable --now shelfloop-edge), or give it a name and key of its own: "
        "shelfloop central gateway add. The refused one keeps its records; none counts twice.",
    )  # fmt: skip


def _disk(state: GatewayState | None) -> Iterator[GatewaySign]:
    if state is None:
        return
    if state.disk_problem:
        do = "Free room on the gateway's disk, or replace it. Tills keep their receipts until it saves again."
        yield _sign("disk-refuses", "bad", f"its disk refuses to save: {state.disk_problem}", do)
    seconds = f"{state.slowest_commit_ms / 1000:.0f} s"
    if state.slowest_commit_ms >= STALLED_COMMIT_MS:
        do = "Replace the gateway's disk or SD card soon; the new one starts empty and loses nothing that is here."
        yield _sign("disk-stalls", "bad", f"its disk hung for {seconds} at one commit", do)
    elif state.slowest_commit_ms >= SLOW_COMMIT_MS:
        do = "Look what else writes to the gateway's disk; a card that gets slow is near its end."
        yield _sign("disk-slow", "warn", f"its disk took {seconds} for one commit", do)
    if state.damaged_rows:
        do = "Replace the gateway's disk or SD card; what was damaged is declared as a loss."
        yield _sign(
            "disk-damaged", "warn", f"{state.damaged_rows} of its records were damaged on the disk", do
        )


def _outbox(seen: Watched) -> Iterator[GatewaySign]:
    state = seen.state
    if state is None:
        return
    share = state.outbox_bytes / state.outbox_max_bytes if state.outbox_max_bytes else 0.0
    waits = f"{state.outbox_rows} records wait for the centre, {100 * share:.0f} % of the room for them"
    if share >= FULL_SHARE:
        do = "Bring its line to the centre back: old windows are being summed up, and the oldest summaries go at last."
        yield _sign("outbox-full", "bad", waits, do)
    elif share >= FILLING_SHARE:
        yield _sign(
            "outbox-filling", "warn", waits, "Bring its line to the centre back before the room is used up."
        )
    if seen.online and not seen.is_simulated and state.oldest_waiting_ms >= LATE_MS:
        minutes = state.oldest_waiting_ms // 60_000
        do = "It catches up by itself after an outage; if this grows, its line is too thin or the centre too slow."
        yield _sign("records-late", "warn", f"its oldest unsent record has waited {minutes} min", do)


def _silence(seen: Watched) -> Iterator[GatewaySign]:
    if not seen.online:
        do = "Look at its power and its line. The shop goes on alone and sends everything later."
        yield _sign("silent", "warn", "it does not call", do)


def _clock(seen: Watched) -> Iterator[GatewaySign]:
    if seen.state is None or seen.is_simulated:
        return
    if abs(seen.ahead_ms) >= CLOCK_OFF_MS:
        way = "ahead of" if seen.ahead_ms > 0 else "behind"
        text = f"its clock is {abs(seen.ahead_ms) // 1000} s {way} the centre's"
        yield _sign(
            "clock-off", "warn", text, "Switch network time on at the gateway (timedatectl set-ntp true)."
        )
    elif seen.state.clock_quality is ClockQuality.ESTIMATED:
        do = "Switch network time on at the gateway (timedatectl set-ntp true)."
        yield _sign("clock-unkept", "warn", "no network time keeps its clock", do)


def _sign(code: str, tone: str, text: str, do: str) -> GatewaySign:
    return GatewaySign.model_validate({"code": code, "tone": tone, "text": text, "do": do})
