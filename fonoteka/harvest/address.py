"""Connect to public addresses only, and to the address that was checked.

A feed could name a host of the local network, or a host whose address changes between the check
and the connection. So the name is resolved here, every address is checked, and the connection goes
to one of these addresses, while the certificate is still verified against the name.
"""

from __future__ import annotations

import ipaddress
import socket

import httpx

from fonoteka.harvest.item import ItemRefusedError, Outcome


def is_public(address: str) -> bool:
    """Return whether an IP address is reachable from everywhere.

    >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "127.0.0.1", "::ffff:10.0.0.1", "fe80::1")]
    [True, False, False, False, False]
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return bool(mapped.is_global and not mapped.is_multicast)


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the IP addresses of a host.

    Raises:
        ItemRefusedError: the host has none, or one of them is private and that is not allowed.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ItemRefusedError(Outcome.NETWORK, f"{host} is not entries: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise ItemRefusedError(Outcome.PRIVATE, f"{host} is {private[0]}")
    return addresses


class PinnedTransport(httpx.HTTPTransport):
    """Sends each request to an address that was checked for it."""

    def __init__(self, *, allow_private: bool) -> None:
        """Prepare connections.

        A connection is not used again: another host at the same address would be served by a
        connection whose certificate was verified for the first host.
        """
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)
        self._allow_private = allow_private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, to the next address if a connection to the first fails.

        Raises:
            ItemRefusedError: an address of the host is private.
            httpx.TransportError: the request failed.
        """
        host = request.url.host
        port = request.url.port or {"http": 80, "https": 443}[request.url.scheme]
        addresses = addresses_of(host, port, allow_private=self._allow_private)
        for number, address in enumerate(addresses, start=1):
            pinned = httpx.Request(
                request.method, request.url.copy_with(host=address), headers=request.headers,
                extensions={**request.extensions, "sni_hostname": host},
            )  # fmt: skip
            try:
                return super().handle_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("a host has an address")
