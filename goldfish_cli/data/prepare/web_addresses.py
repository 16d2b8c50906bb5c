"""Connect to public addresses only: a host is resolved once, and what was looked at is dialled."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import httpcore

from goldfish_cli.data.prepare.refusal import Refusal

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a translator, RFC 6052
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(text: str) -> bool:
    """Tell whether an IP address belongs to the public internet, however it is wrapped in IPv6."""
    address = _unwrap(ipaddress.ip_address(text.partition("%")[0]))
    return address.is_global and not address.is_multicast


def _unwrap(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for httpcore, but none into the networks behind the firewall.

    Redirects and rebound names pass here as well, since every connection does.

    Args:
        allow_private: Connect to any address, such as a server in the same network.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that answers.

        Raises:
            Refusal: If the host has no address, or a private one.
            httpcore.ConnectError: If no address answers.
        """
        addresses = await _resolve(host, port)
        private = [address for address in addresses if not is_public(address)]
        if private and not self._allow_private:
            raise Refusal("private-address", f"{host} is {private[0]}")
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(
            addresses[-1], port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between attempts."""
        await self._inner.sleep(seconds)


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: an impossible label
        raise Refusal("no-such-host", f"{host}: {error}", lasting=False) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
