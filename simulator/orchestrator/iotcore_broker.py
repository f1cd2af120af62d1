"""rumqttd as a process of its own: `python -m simulator.orchestrator.iotcore_broker PORT`.

Measured: nothing survives a kill, payloads above 20 kB need the larger limit set here, clients with keep-alive 0 are dropped,
and the default listener is 0.0.0.0. So: for demos and quick tests, on loopback, never in a shop.
"""

import signal
import sys

MAX_PAYLOAD_BYTES = 1_000_000


def main() -> int:
    from iotcore import Broker  # noqa: PLC0415 - only where there is no Mosquitto

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Broker(port=int(sys.argv[1]), listen="127.0.0.1", max_payload_size=MAX_PAYLOAD_BYTES).run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
