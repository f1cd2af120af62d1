"""Our end of a shop process' stdin and stdout: one JSON line out, one back (simulator.shop_protocol)."""

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.orchestrator.supervisor import ChildError, log_tail

ANSWER_LIMIT_S = 180.0


class ShopLink:
    def __init__(self, shop: str, process: subprocess.Popen[bytes], log: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.shop = shop
        self._stdin, self._stdout = process.stdin, process.stdout
        self._log = log
        self._rest = b""

    def ask(self, command: Mapping[str, object]) -> dict[str, Any]:
        self.send(command)
        return self.answer()

    def send(self, command: Mapping[str, object]) -> None:
        try:
            self._stdin.write(json.dumps(command).encode() + b"\n")
            self._stdin.flush()
        except OSError as error:
            raise self._error(f"takes no commands: {error}") from error

    def answer(self, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """Raises ChildError when the shop ends, refuses or does not answer in time."""
        deadline_s = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise self._error(f"did not answer in {limit_s:.0f} s")
            piece = os.read(self._stdout.fileno(), 65_536)
            if not piece:
                raise self._error("ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if not isinstance(answer, dict) or "error" in answer:
            raise self._error(f"refused: {str(answer)[:300]}")
        return answer

    def _error(self, what: str) -> ChildError:
        return ChildError(
            f"shop process {self.shop} {what}; its log {self._log} ends with:\n{log_tail(self._log)}"
        )
