"""Requests over HTTP: paced per host, with bounded redirects, waits and retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from fonoteka.harvest.address import PinnedTransport
from fonoteka.harvest.item import ItemRefusedError, Outcome, normal_url
from fonoteka.harvest.limits import HarvestLimits

AGENT = "fonoteka-harvest"
MAX_REDIRECTS = 8
_REDIRECTS = (301, 302, 303, 307, 308)
_WAITS = (429, 503)
_PASSING = (500, 502, 504)  # faults that may be gone after a moment
_TIMEOUT = httpx.Timeout(60.0, connect=20.0)

Gate = Callable[[str], None]
"""Called with each address before it is requested; raises `ItemRefusedError` to refuse it."""


@dataclass(frozen=True)
class Answer:
    """An answer whose body was not read yet.

    Attributes:
        response: of httpx; its body is read by `iter_raw`.
        url: the last address.
        hops: the addresses from the first to the last.
    """

    response: httpx.Response
    url: str
    hops: tuple[str, ...]

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    def header(self, name: str) -> str:
        """Return a header; empty if it is missing."""
        return str(self.response.headers.get(name, "")).strip()

    def strong_validator(self) -> str:
        """Return the validator by which a range may be asked for; empty if the answer has none.

        A weak ETag does not promise the same bytes. Last-Modified does if it is older than the
        answer by a second or more: RFC 9110, 8.8.2.2.
        """
        etag, modified = self.header("etag"), self.header("last-modified")
        if etag and not etag.startswith("W/"):
            return etag
        try:
            date = parsedate_to_datetime(self.header("date"))
            age_s = (date - parsedate_to_datetime(modified)).total_seconds()
        except (ValueError, TypeError):
            return ""
        return modified if age_s >= 1 else ""


class Web:
    """Sends requests; one at a time."""

    def __init__(self, limits: HarvestLimits, *, allow_private: bool, contact: str = "") -> None:
        """Prepare a client.

        Args:
            limits: of the run.
            allow_private: whether hosts of the local network may be asked.
            contact: an address of mail or a page, which the server's owner can turn to.
        """
        agent = f"{AGENT} (+{contact})" if contact else AGENT
        # Not compressed: lengths and ranges then count the bytes of the file.
        headers = {"User-Agent": agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        transport = PinnedTransport(allow_private=allow_private)
        self._client = httpx.Client(transport=transport, headers=headers, timeout=_TIMEOUT)
        self.limits = limits
        self.crawl_delays: dict[str, float] = {}  # by host, in seconds
        self._next: dict[str, float] = {}  # when a host may be asked again
        self._busy: dict[str, str] = {}  # hosts that asked for a longer wait, with the reason

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    @contextmanager
    def open(
        self, url: str, gate: Gate, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        """Yield the answer to a request after all redirects; its status is not 429 or 5xx.

        Args:
            url: the address.
            gate: decides about each address on the way.
            method: GET or HEAD.
            headers: further headers of the request.

        Raises:
            ItemRefusedError: an address on the way is refused, redirects form a loop, the server
                asks for a wait that is too long, or the request fails again and again.
        """
        hops = [normal_url(url)]
        while True:
            gate(hops[-1])
            response = self._sent(method, hops[-1], headers or {})
            try:
                target = response.headers.get("location", "")
                if response.status_code not in _REDIRECTS or not target:
                    yield Answer(response, hops[-1], tuple(hops))
                    return
            finally:
                response.close()
            following = normal_url(str(httpx.URL(hops[-1]).join(target)))
            if following in hops or len(hops) > MAX_REDIRECTS:
                raise ItemRefusedError(Outcome.LOOP, f"{len(hops)} redirects, last to {following}")
            hops.append(following)

    def _sent(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """Return an answer that does not ask for a wait, after waits and retries."""
        host = httpx.URL(url).netloc.decode("ascii")
        if host in self._busy:
            raise ItemRefusedError(Outcome.BUSY, f"{host}: {self._busy[host]}")
        reason, outcome = "", Outcome.NETWORK
        for attempt in range(self.limits.retries + 1):
            self._pace(host)
            wait_s = 2.0**attempt * min(1.0, self.limits.delay_s)
            try:
                request = self._client.build_request(method, url, headers=headers)
                response = self._client.send(request, stream=True)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                reason, outcome = f"{type(error).__name__}: {error}", Outcome.NETWORK
            else:
                status = response.status_code
                if status not in (*_WAITS, *_PASSING):
                    return response
                response.close()
                stated = retry_after_s(response.headers.get("retry-after", ""))
                outcome = Outcome.BUSY if status in _WAITS else Outcome.HTTP
                reason = f"{status}" if stated is None else f"{status}, wait {stated:.0f} s"
                wait_s = wait_s if stated is None else stated
            if wait_s > self.limits.max_wait_s:
                self._busy[host] = reason  # the other items of this host are not asked for
                break
            self._next[host] = time.monotonic() + wait_s
        raise ItemRefusedError(outcome, reason)

    def _pace(self, host: str) -> None:
        """Wait until a host may be asked again."""
        time.sleep(max(0.0, self._next.get(host, 0.0) - time.monotonic()))
        delay_s = max(self.limits.delay_s, self.crawl_delays.get(host, 0.0))
        self._next[host] = time.monotonic() + min(delay_s, self.limits.max_wait_s)


def retry_after_s(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date; None if it is neither.

    >>> retry_after_s("7"), retry_after_s("soon")
    (7.0, None)
    >>> retry_after_s("Mon, 01 Jan 2024 00:00:09 GMT", datetime(2024, 1, 1, tzinfo=UTC))
    9.0
    """
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
