"""A server in a process of its own: prints its URL, ends on SIGTERM or when the pipe that is its input is closed."""

import argparse
import os
import signal
import stat
import threading
from collections.abc import Callable
from typing import Any

from tests.servers.faults import Faults
from tests.servers.http import Server


def run(make: Callable[..., Server], parser: argparse.ArgumentParser) -> None:
    """Serves with the options of `parser` and those that all servers have, as arguments of `make`."""
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--address", action="append", dest="addresses", help="address to listen on; may be repeated")
    parser.add_argument("--latency", type=float, default=0.0, dest="latency_s", help="seconds before every answer")
    parser.add_argument("--faults", type=Faults.from_json, help="JSON list of objects with the arguments of Fault")
    options: dict[str, Any] = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_wait_for_end, args=[ended], daemon=True).start()
    with make(**options) as server:
        print(server.url, flush=True)
        ended.wait()


def _wait_for_end(ended: threading.Event) -> None:
    while os.read(0, 1 << 10):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    ended.set()
