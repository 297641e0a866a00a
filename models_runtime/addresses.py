"""Addresses that other people name: only what is public is reached, unless the host was allowed by name.

A researcher names a model server or a webhook, and a program inside the network would fetch it for them. So
the name is resolved once, every address behind it is looked at, and the connection goes to the very address
that was looked at: a name that answers otherwise a moment later (DNS rebinding) gains nothing. Redirects are
never followed.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx2 as httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = {"http": 80, "https": 443}
Resolve = Callable[[str, int], list[str]]

LAST_PORT = 65_535
LOOPBACK = ipaddress.IPv4Address("127.0.0.1")

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?=.{{1,254}}$){LABEL}(?:\.{LABEL})*\.?")
"""Of a host, in lower case."""

NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""What ends no name: with it at its end a host is read as an address."""

EMBEDDED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""IPv6 that leads to an IPv4 address (NAT64, 6to4)."""


class AddressRefused(Exception):
    """The host is not one to be reached; the message says what to do."""


@dataclass(frozen=True)
class Allowed:
    """Private hosts that may be reached: names, addresses and networks; `everything` asks nothing.

    A name allows whatever private address it has, but no link-local one, where clouds keep secrets.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    everything: bool = False
    variable: str = ""

    @classmethod
    def read(cls, text: str, variable: str = "") -> "Allowed":
        """From words with commas between them, such as "gpu1, 10.0.0.0/8, ::1"; "*" is everything.

        variable: where an administrator writes them, for messages.
        """
        words = [word.strip().lower().strip("[]") for word in text.split(",") if word.strip()]
        networks = {word: _network(word) for word in words}
        names = frozenset(word.rstrip(".") for word in words if networks[word] is None)
        found = tuple(network for network in networks.values() if network is not None)
        return cls(names - {"*"}, found, "*" in names, variable)

    def refuse(self, host: str, address: Address) -> None:
        """Raise AddressRefused unless this address may be reached under this name."""
        plain = _plain(address)
        if self.everything or _is_public(plain) or any(plain in network for network in self.networks):
            return
        if host.lower().rstrip(".") in self.names and _is_merely_private(plain):
            return
        how = f" An administrator can allow it in {self.variable}." if self.variable else ""
        raise AddressRefused(f"“{host}” leads to {address}, which is not a public address.{how}")


PUBLIC_ONLY = Allowed()
EVERYTHING = Allowed(everything=True)


def _network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in EMBEDDED[0]:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def _is_public(address: Address) -> bool:
    # Multicast counts as global by the registry, and nothing is served there; so do IPv6's old private
    # addresses (fec0::/10), which some networks still use.
    is_of_a_site = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or is_of_a_site)


def _is_merely_private(address: Address) -> bool:
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """Every address behind the name, as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def pinned(host: str, port: int, allowed: Allowed, resolving: Resolve = resolve) -> str:
    """The address to connect to. Raises AddressRefused if any address behind the name may not be reached."""
    addresses = resolving(host, port)
    for address in addresses:
        allowed.refuse(host, ipaddress.ip_address(address))
    if not addresses:
        raise AddressRefused(f"“{host}” has no address.")
    return addresses[0]


class GuardedTransport(httpx.HTTPTransport):
    """httpx's own transport, whose requests go only where `allowed` lets them, to the address looked at.

    The name stays in the Host header and in TLS, so certificates hold. A client with a transport takes no
    proxy from the environment: a proxy would resolve the name again, elsewhere.
    """

    def __init__(self, allowed: Allowed, limits: httpx.Limits | None = None, resolving: Resolve = resolve):
        super().__init__(limits=limits or httpx.Limits())
        self._allowed, self._resolving = allowed, resolving

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return super().handle_request(self._pinned(request))

    def _pinned(self, request: httpx.Request) -> httpx.Request:
        url, port = request.url, request.url.port or PORTS.get(request.url.scheme, 0)
        try:
            address = pinned(url.host, port, self._allowed, self._resolving)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"“{url.host}” cannot be resolved ({error})", request=request) from error
        return httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )


def refuse_address(url: str, allowed: Allowed) -> None:
    """Raise AddressRefused for a URL that is seen, without asking a name server, to lead nowhere or where it
    may not."""
    read = httpx.URL(url)
    host = read.raw_host.decode("ascii").lower()
    if read.port is not None and not 0 < read.port <= LAST_PORT:
        raise AddressRefused(f"There is no port {read.port}.")
    address = _spelt(host)
    if address is not None:
        allowed.refuse(host, address)
    elif not NAME.fullmatch(host) or NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise AddressRefused(f"“{host}” is no name of a host.")


def _spelt(host: str) -> Address | None:
    """The address that a host says by itself, in any of the spellings that systems read: 127.1 and
    0x7f000001 are 127.0.0.1. None for a name."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return LOOPBACK
    with suppress(OSError):
        return ipaddress.IPv4Address(socket.inet_aton(name))
    return None
