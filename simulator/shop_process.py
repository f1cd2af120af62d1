"""One shop as a process: `shelfloop simulate shop --shop FILE.sqlite --dir DIR --broker-port N --seed S`.

Commands and answers are JSON lines on stdin and stdout; `simulator.shop_protocol` says what they mean. One selector loop
serves the commands, the ptys and the MQTT sockets; link timers run on the monotonic clock.
"""

import argparse
import json
import os
import selectors
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simulator import shop_protocol
from simulator.catalogue import ShopFile
from simulator.devices.mqtt_wire import MqttWire
from simulator.devices.shop_floor import ShopFloor, Wire
from simulator.shop_protocol import Advance, Pending, Quit, Report, command_from_line

STDIN_FD = 0
READ_BYTES = 65_536
MAX_LINE_BYTES = 16_000_000
MAX_WAIT_S = 1.0
EXIT_BAD_CONFIG = 78


def _real_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class ShopProcess:
    """answer: writes one JSON object as a line."""

    def __init__(
        self, floor: ShopFloor, answer: Callable[[dict[str, object]], None], stdin_fd: int = STDIN_FD
    ) -> None:
        self._floor = floor
        self._answer = answer
        self._stdin_fd = stdin_fd
        self._selector = selectors.DefaultSelector()
        self._watched: dict[str, tuple[int, int]] = {}
        """device -> (fd, events) as registered."""
        self._partial = b""
        self._ending = False

    def run(self) -> None:
        """Serves until `quit` or the end of stdin."""
        self._selector.register(self._stdin_fd, selectors.EVENT_READ, None)
        self._floor.open(_real_ms())
        ports = {wire.device: wire.path for wire in self._floor.serial_wires}
        self._answer({"ready": True, "now_ms": self._floor.world.now_ms, "ports": ports})
        try:
            while not self._ending:
                self._turn()
        finally:
            self._floor.close()
            self._selector.close()

    def _turn(self) -> None:
        for wire in self._floor.wires.values():
            self._watch(wire)
        for key, events in self._selector.select(self._wait_s()):
            wire = key.data
            if wire is None:
                self._read_commands()
                continue
            if events & selectors.EVENT_READ:
                wire.on_readable(_real_ms())
            if events & selectors.EVENT_WRITE:
                wire.on_writable()
        now_ms = _real_ms()
        for wire in self._floor.wires.values():
            due_ms = wire.next_timeout_ms
            if due_ms is not None and now_ms >= due_ms:
                wire.on_time(now_ms)

    def _wait_s(self) -> float:
        times = [wire.next_timeout_ms for wire in self._floor.wires.values()]
        soonest = min((time for time in times if time is not None), default=None)
        if soonest is None:
            return MAX_WAIT_S
        return min(MAX_WAIT_S, max(0.0, (soonest - _real_ms()) / 1000))

    def _watch(self, wire: Wire) -> None:
        """Keeps the selector in step with the wire's descriptor, which an MQTT wire changes at every connection."""
        fd = wire.fd
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.wants_write else 0)
        wanted = None if fd is None else (fd, events)
        known = self._watched.get(wire.device)
        fresh = isinstance(wire, MqttWire) and wire.take_new_socket()
        if wanted == known and not fresh:
            return
        if known is not None:
            del self._watched[wire.device]
            # A closed descriptor has left epoll by itself, and its number may be another's by now.
            if known[0] in self._selector.get_map() and self._selector.get_key(known[0]).data is wire:
                self._selector.unregister(known[0])
        if wanted is not None:
            self._selector.register(wanted[0], wanted[1], wire)
            self._watched[wire.device] = wanted

    def _read_commands(self) -> None:
        data = os.read(self._stdin_fd, READ_BYTES)
        if not data:
            self._ending = True
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE_BYTES:
            self._partial = b""
            self._answer(
                {"error": f"a command is longer than {MAX_LINE_BYTES} bytes; send fewer despatches at once"}
            )
        for line in lines:
            if line.strip() and not self._ending:
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            command = command_from_line(line)
        except ValueError as error:
            self._answer({"error": str(error)})
            return
        match command:
            case Advance() if command.to_ms < self._floor.world.now_ms:
                now_ms = self._floor.world.now_ms
                self._answer(
                    {"error": f"to_ms is {command.to_ms}, but it is {now_ms} already; time goes forward only"}
                )
            case Advance():
                self._answer(dict(self._floor.advance(command, _real_ms())))
            case Pending():
                by_device = {name: wire.pending for name, wire in self._floor.wires.items() if wire.pending}
                self._answer({"pending": sum(by_device.values()), "by_device": by_device})
            case Report():
                self._answer(self._floor.report().model_dump(mode="json"))
            case Quit():
                self._answer({"bye": True})
                self._ending = True


def _answer_on_stdout(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="shelfloop simulate shop",
        description="Plays one shop on real wires.",
        epilog=(shop_protocol.__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--shop", type=Path, required=True, help="shop file made by `shelfloop simulate receipts`"
    )
    parser.add_argument(
        "--dir", type=Path, required=True, help="folder of this shop; its ports/ gets the serial devices"
    )
    parser.add_argument("--broker-host", default="127.0.0.1", help="the shop's MQTT broker")
    parser.add_argument("--broker-port", type=int, required=True, help="its port")
    parser.add_argument(
        "--broker-protocol", type=int, choices=(5, 4), default=5, help="MQTT 5, or 4 for 3.1.1"
    )
    parser.add_argument("--seed", type=int, default=1, help="chance of this run")
    options = parser.parse_args(argv)
    try:
        shop = ShopFile(options.shop)
    except (sqlite3.Error, KeyError, ValueError) as error:
        print(
            f"--shop {options.shop}: no shop file ({error}); make it with shelfloop simulate receipts",
            file=sys.stderr,
        )
        return EXIT_BAD_CONFIG
    ports = options.dir / "ports"
    floor = ShopFloor(
        shop, options.seed, ports, options.broker_host, options.broker_port, options.broker_protocol
    )
    ShopProcess(floor, _answer_on_stdout).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
