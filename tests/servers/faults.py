"""What goes wrong, said as data: which requests, and what they get instead of the right answer.

    Faults(
        Fault("status", status=429, retry_after_s=2, every=10),
        Fault("reset_body", path=r"cursor=", first=1, share=0.1),
        Fault("hang", at={7}),
    )

Every choice depends on the request and on counters only, never on chance or the clock: the same requests in the same
order see the same faults; `share` does not even depend on the order.
"""

import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from tests.servers.messages import Reply, Seen, html, wait

Kind = Literal[
    "status",  # `status`, with Retry-After where `retry_after_s` is given (as a date with `retry_after_date`)
    "refusal",  # the service's own error `code`
    "reset_head",  # RST before the first byte
    "reset_body",  # RST in the middle of the body
    "no_reply",  # the connection ends without a byte
    "hang",  # neither answer nor end
    "late",  # the right answer, `delay_s` late
    "drip",  # the right answer, `bytes_per_s` slow
    "short_body",  # Content-Length of the whole, half of it sent, then the end
    "cut_body",  # half the body as if it were the whole: truncated JSON, half a picture
    "html",  # a page for people with status 200
    "empty",  # status 200, no body
]


@dataclass(frozen=True)
class Fault:
    """One kind of fault and whom it meets. All conditions must hold.

    Args:
        kind: what happens.
        status: for status.
        code: for refusal.
        retry_after_s: for status.
        retry_after_date: Retry-After as an HTTP date.
        delay_s: for late.
        bytes_per_s: for drip.
        path: a regular expression, searched in path and query as sent.
        when: any further condition; not from the command line.
        share: this share of targets, chosen by a hash of the target.
        first: only the first so many requests of each target; 0 for all.
        every: only every nth of the requests that the conditions above let through; 0 for all.
        at: only those with these numbers among them, from 1.
        times: no more than so often; 0 for no limit.
    """

    kind: Kind
    status: int = 503
    code: int = 0
    retry_after_s: float | None = None
    retry_after_date: bool = False
    delay_s: float = 1.0
    bytes_per_s: float = 1000.0
    path: str = ""
    when: Callable[[Seen], bool] | None = None
    share: float = 1.0
    first: int = 0
    every: int = 0
    at: Collection[int] = ()
    times: int = 0

    @property
    def name(self) -> str:
        """The kind, for status and refusal with the number."""
        number = {"status": self.status, "refusal": self.code}.get(self.kind)
        return self.kind if number is None else f"{self.kind} {number}"


@dataclass(frozen=True)
class Served:
    """One fault that was served."""

    at: float
    fault: Fault
    target: str


class Answers(Protocol):
    """What faults need of the server."""

    def answer(self, request: Seen) -> Reply: ...
    def refusal(self, request: Seen, code: int) -> Reply: ...


class Faults:
    """The faults of one server; of several that meet a request the first counts."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        self._seen: list[Counter[str]] = [Counter() for _ in faults]
        self._matched = [0] * len(faults)
        self._times = [0] * len(faults)
        self._served: list[Served] = []

    @classmethod
    def from_json(cls, text: str) -> "Faults":
        """Of a JSON list of objects with the arguments of `Fault`, for servers in a process of their own."""
        return cls(*(Fault(**arguments) for arguments in json.loads(text)))

    @property
    def served(self) -> list[Served]:
        """Every fault served so far."""
        return self._served.copy()

    def counts(self) -> Counter[str]:
        """How often each was served, by name."""
        return Counter(served.fault.name for served in self.served)

    def unserved(self) -> list[Fault]:
        """Those that never came: a test of them has shown nothing."""
        return [fault for fault, times in zip(self.faults, self._times, strict=True) if not times]

    def choose(self, request: Seen) -> Fault | None:
        """The fault for a request; every fault counts the request, whichever is chosen."""
        chosen = [i for i, fault in enumerate(self.faults) if self._meets(i, fault, request)]
        if not chosen:
            return None
        fault = self.faults[chosen[0]]
        self._times[chosen[0]] += 1
        self._served.append(Served(time.monotonic(), fault, request.target))
        request.fault = fault.name
        return fault

    def _meets(self, i: int, fault: Fault, request: Seen) -> bool:
        target = request.target
        if fault.path and not re.search(fault.path, target):
            return False
        if fault.when and not fault.when(request):
            return False
        if fault.share < 1 and zlib.crc32(f"{fault.kind} {target}".encode()) >= fault.share * 2**32:
            return False
        self._seen[i][target] += 1
        if fault.first and self._seen[i][target] > fault.first:
            return False
        self._matched[i] += 1
        number = self._matched[i]
        if (fault.every and number % fault.every) or (fault.at and number not in fault.at):
            return False
        return not fault.times or self._times[i] < fault.times

    def apply(self, fault: Fault, request: Seen, server: Answers) -> Reply:
        """The bad answer."""
        if fault.kind == "refusal":
            return server.refusal(request, fault.code)
        if fault.kind in _WITHOUT_ANSWER:
            return _WITHOUT_ANSWER[fault.kind](fault)
        return _spoil(server.answer(request), fault)


def _spoil(reply: Reply, fault: Fault) -> Reply:
    half = len(reply.body) // 2
    changes: dict[str, dict[str, Any]] = {
        "late": {"delay_s": fault.delay_s},
        "drip": {"bytes_per_s": fault.bytes_per_s},
        "reset_body": {"send": half, "stream": None, "end": "reset"},
        "short_body": {"send": half, "stream": None, "end": "close"},
        "cut_body": {"body": reply.body[:half]},
    }
    return replace(reply, **changes[fault.kind])


_WITHOUT_ANSWER: dict[str, Callable[[Fault], Reply]] = {
    "status": lambda fault: wait(fault.status, fault.retry_after_s, date=fault.retry_after_date),
    "reset_head": lambda _: Reply(silent=True, end="reset"),
    "no_reply": lambda _: Reply(silent=True, end="close"),
    "hang": lambda _: Reply(hang=True),
    "html": lambda _: html("Scheduled maintenance"),
    "empty": lambda _: Reply(),
}
