"""JSON of a provider's API: a path and parameters in, the parsed reply out, at the pace that the provider allows.

The key never leaves: it is no part of an error and is blotted out of whatever a server says.
"""

import asyncio
import json
import random
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, quote_plus, urlencode

from imagelake import __version__
from imagelake.errors import ApiError, BadItem, UsageError
from imagelake.fetch.address import Address, parse_address
from imagelake.fetch.limits import Limits
from imagelake.fetch.reply import Reply, Terms
from imagelake.fetch.retry import RETRIED, backoff_s, retry_after_s
from imagelake.fetch.transport import Transport

USER_AGENT = f"imagelake/{__version__}"
MAX_BYTES = 64 << 20  # of one reply
_TEXT_CHARS = 300  # of a server's own words in an error


@dataclass(frozen=True)
class _Answer:
    """One request's outcome: `bad` says what was wrong, of which `data` may tell more."""

    reply: Reply
    data: Any
    bad: BadItem | None


class JsonApi:
    """Asks one API; thread-safe and blocking; a context manager.

    Args:
        base_url: scheme, host and, if any, the first part of every path. Private addresses are allowed.
        secret: name and value of the parameter that carries the key.
        rate_per_s: requests per second, evenly spaced; retries count.
        concurrency: requests at a time.
        user_agent: what the client calls itself.
        is_busy: whether a parsed reply says "try again later" in words of its own.
        attempts: of one request.
        deadline_s: for one attempt.
        base_wait_s: upper bound of the first wait between attempts; doubles with each.

    Raises:
        UsageError: base_url is no address.
    """

    def __init__(  # noqa: PLR0913 (the settings of a client)
        self,
        base_url: str,
        *,
        secret: tuple[str, str] | None = None,
        rate_per_s: float,
        concurrency: int = 10,
        user_agent: str = USER_AGENT,
        is_busy: Callable[[Any], bool] = lambda _: False,
        attempts: int = 6,
        deadline_s: float = 60.0,
        base_wait_s: float = 1.0,
    ) -> None:
        try:
            self._base = parse_address(base_url)
        except BadItem as bad:
            raise UsageError(f"the address of the API: {bad.message}") from bad
        self._secret = [secret] if secret else []
        self._blot = _Blot(secret[1] if secret else "")
        self._is_busy = is_busy
        self._attempts = attempts
        self._base_wait_s = base_wait_s
        self._headers = [("User-Agent", user_agent), ("Accept", "application/json"), ("Accept-Encoding", "gzip")]
        self._terms = Terms(MAX_BYTES, deadline_s)
        self._limits = Limits(rate_per_s, concurrency)
        self._transport = Transport(allow_private=True, http2=False)  # the coder of HTTP/2's headers logs what it sends
        self._rng = random.Random()  # noqa: S311 (waits are no secret)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread; what is under way is given up."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._transport.close()

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Any:
        """GET a path and parse what comes.

        Asks again for what may pass: 408, 425, 429 and 5xx answers, timeouts, broken connections and bodies, something
        else than JSON with status 200, busy replies. Waits with full jitter, or as long as `Retry-After` says.

        Args:
            path: below base_url, beginning with a slash, percent-encoded.
            params: names and values in their order; the key is added.

        Returns:
            The reply, a dict. The key's value is replaced by "[key]" in all its strings.

        Raises:
            ApiError: one line with host, path, status and the server's own message; `status` (int or None) and
                `reply` (parsed body of the last answer, or None) are attributes.
        """
        future = asyncio.run_coroutine_threadsafe(self._get(path, params), self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    async def _get(self, path: str, params: Sequence[tuple[str, str]]) -> Any:
        address = self._address(path, params)
        for attempt in range(1, self._attempts + 1):
            answer = await self._ask(address)
            if answer.bad is None:
                return answer.data
            if answer.bad.reason not in RETRIED or attempt == self._attempts:
                break
            await self._wait(attempt, answer)
        raise self._error(path, answer, attempt)

    def _address(self, path: str, params: Sequence[tuple[str, str]]) -> Address:
        query = urlencode([*params, *self._secret])
        try:
            return parse_address(f"{self._base.url.rstrip('/')}{path}{'?' if query else ''}{query}")
        except BadItem as bad:
            raise ApiError(f"{self._base.key} {self._blot.text(path)}: {bad.message}") from None

    async def _ask(self, address: Address) -> _Answer:
        try:
            async with self._limits.turn(address.key):
                reply = await self._transport.exchange(address, self._headers, self._terms)
        except BadItem as bad:  # the API asked to be left alone for long
            return _Answer(Reply(), None, BadItem("held", bad.message))
        if reply.bad is not None or reply.status is None:
            return _Answer(reply, None, reply.bad)
        try:
            data = self._blot.all(json.loads(reply.body))
        except (ValueError, RecursionError):
            data = None
        return _Answer(reply, data, self._judge(reply, data))

    def _judge(self, reply: Reply, data: Any) -> BadItem | None:
        if reply.status != 200:
            return BadItem(f"http_{reply.status}", self._words(reply, data))
        if not isinstance(data, dict):
            return BadItem("truncated", f"the answer is no JSON object: {self._words(reply, None)}")
        return BadItem("http_503", f"the API is busy: {self._words(reply, data)}") if self._is_busy(data) else None

    async def _wait(self, attempt: int, answer: _Answer) -> None:
        """Leave the API alone altogether after 429 and 503, as long as it asks for; else wait with this request."""
        reply = answer.reply
        wait_s = backoff_s(attempt, self._rng, self._base_wait_s)
        if reply.status in (429, 503):
            asked_s = retry_after_s(reply.header("retry-after") or "", datetime.now(UTC))
            self._limits.hold(self._base.key, wait_s if asked_s is None else asked_s, f"http_{reply.status}")
        else:
            await asyncio.sleep(wait_s)

    def _words(self, reply: Reply, data: Any) -> str:
        """What the server says, in one line."""
        found = _message(data) or _html_title(reply.body) or reply.body.decode("utf-8", "replace")
        return " ".join(self._blot.text(found).split())[:_TEXT_CHARS] or "no message"

    def _error(self, path: str, answer: _Answer, attempt: int) -> ApiError:
        bad = answer.bad or BadItem("", "")
        status = f"HTTP {answer.reply.status}: " if answer.reply.status else ""
        tried = f" ({attempt} attempts)" if attempt > 1 else ""
        error = ApiError(self._blot.text(f"{self._base.key} {path}: {status}{bad.message}{tried}"))
        error.status, error.reply = answer.reply.status, answer.data
        return error


class _Blot:
    """Replaces a secret, as it is and as it stands in an address, by "[key]"."""

    def __init__(self, secret: str) -> None:
        self._spellings = sorted({secret, quote(secret, safe=""), quote_plus(secret)} - {""}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without the secret."""
        for spelling in self._spellings:
            text = text.replace(spelling, "[key]")
        return text

    def all(self, value: Any) -> Any:
        """Parsed JSON without the secret in any of its strings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.all(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.all(item) for name, item in value.items()}
        return value


def _message(data: Any) -> str:
    """The server's own words in an error's body, in the forms that Europeana, Flickr and most others use."""
    if not isinstance(data, dict):
        return ""
    found = [data.get(name) for name in ("error", "message", "error_description", "detail", "title")]
    texts = [_message(item) if isinstance(item, dict) else item for item in found]
    return ": ".join(text for text in texts if isinstance(text, str) and text)


def _html_title(body: bytes) -> str:
    found = re.search(rb"<title[^>]*>([^<]*)", body[:4096], re.IGNORECASE)
    return found[1].decode("utf-8", "replace") if found else ""
