"""Calls that leave this machine's own network: for addresses that strangers give."""

from __future__ import annotations

import ipaddress
import socket

import httpx

from ..errors import InputError

_GIVEN_OUT = ipaddress.ip_network("2000::/3")  # the part of IPv6 that is


class PublicTransport(httpx.HTTPTransport):
    """Connects to public addresses only.

    The address that was checked is the one that is called, so a name that means another one a moment later gains
    nothing. Certificates are checked against the name.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx does it, with the host's address in its place. Raises InputError when that is private."""
        host = request.url.host  # the Host header has it already
        request.url = request.url.copy_with(host=public_address(host))
        request.extensions = {**request.extensions, "sni_hostname": host}
        return super().handle_request(request)


def public_address(host: str) -> str:
    """An address of the host, IPv4 if it has one.

    Raises InputError when any of its addresses is private, httpx.ConnectError when it has none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpx.ConnectError("there is no such name") from None
    addresses = sorted({str(entry[4][0]) for entry in found}, key=lambda address: (":" in address, address))
    if not all(map(is_public, addresses)):
        raise InputError(
            "That address lies in this server's own network, and it calls public ones only; who runs the server can "
            "set DIFFUMASK_ENDPOINTS=any."
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole internet.

    >>> is_public("93.184.215.14"), is_public("192.168.0.1"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):  # 6to4 and Teredo hide an IPv4 address
        return ip.is_global and ip in _GIVEN_OUT and ip.sixtofour is None and ip.teredo is None
    return ip.is_global and not ip.is_multicast
