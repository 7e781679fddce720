"""Whether the studio serves one trusted person or strangers, and what the environment says about the latter."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from model.errors import InputError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MODES = ("local", "hosted")
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_OAUTH = ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET")
_INSIDE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Limits:
    """What one person, or one address that nobody is signed in at, may use.

    Attributes:
        runs: of the model, an hour.
        characters: that the model reads, an hour.
        saves: drafts and corrections, an hour.
        uploads: bytes, an hour.
        stored: characters of prompts that are kept for them.
        waiting: runs of the model that wait or go on at the same time.
    """

    runs: int = 600
    characters: int = 5_000_000
    saves: int = 3_000
    uploads: int = 50 * 2**20
    stored: int = 20_000_000
    waiting: int = 2


@dataclass(frozen=True)
class Hosting:
    """How the studio is served.

    Attributes:
        hosted: to strangers (DIFFUMASK_MODE); local: to one trusted person at this machine.
        hosts: names under which it is reached (DIFFUMASK_HOSTS); (): where it is hosted, any.
        admins, reviewers: ids of people, or their names wherever they sign in (DIFFUMASK_ADMINS, DIFFUMASK_REVIEWERS).
        proxies: addresses of trusted proxies (DIFFUMASK_PROXIES).
        user_header: in which such a proxy names who is signed in (DIFFUMASK_USER_HEADER); "" = nowhere.
        oauth: whether people sign in with Hugging Face, as on a Space with `hf_oauth: true`. Elsewhere Gradio lets
            everybody in as the owner of the machine's token.
        endpoints: hosts that may be called for answers (DIFFUMASK_ENDPOINT_HOSTS); (): none, where it is hosted.
        read_only: nothing is saved (READ_ONLY=1).
        disk_free: bytes that must stay free on the data's disk, or nothing is saved any more (DIFFUMASK_DISK_FREE, MB).
        licence: under which corrections are contributed (DIFFUMASK_LICENCE).
        limits: of each person.
    """

    hosted: bool = False
    hosts: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    user_header: str = ""
    oauth: bool = False
    endpoints: tuple[str, ...] = ()
    read_only: bool = False
    disk_free: int = 200 * 2**20
    licence: str = "CC-BY-4.0"
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Hosting:
        """What the environment says. Raises InputError, one line."""
        user_header, named = environ.get("DIFFUMASK_USER_HEADER", "").strip(), _list(environ, "DIFFUMASK_PROXIES")
        if user_header and not named:
            raise InputError("DIFFUMASK_USER_HEADER needs DIFFUMASK_PROXIES: who may say with it who is signed in?")
        proxies = named or (_INSIDE if "SPACE_ID" in environ else ())
        return cls(
            hosted=_is_hosted(environ),
            hosts=tuple(host.lower() for host in (*_list(environ, "DIFFUMASK_HOSTS"), *_list(environ, "SPACE_HOST"))),
            admins=_list(environ, "DIFFUMASK_ADMINS"),
            reviewers=_list(environ, "DIFFUMASK_REVIEWERS"),
            proxies=tuple(_network(proxy) for proxy in proxies),
            user_header=user_header.lower(),
            oauth=environ.get("SYSTEM") == "spaces" and all(environ.get(name) for name in _OAUTH),
            endpoints=tuple(host.lower() for host in _list(environ, "DIFFUMASK_ENDPOINT_HOSTS")),
            read_only=environ.get("READ_ONLY", "") not in ("", "0"),
            disk_free=_megabytes(environ.get("DIFFUMASK_DISK_FREE") or "200"),
            licence=environ.get("DIFFUMASK_LICENCE", "").strip() or cls.licence,
        )

    def trusts(self, address: str) -> bool:
        """Whether this is a proxy whose headers are believed."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in network for network in self.proxies)

    def is_admin(self, id: str) -> bool:
        """Whether the person with this id is an admin; whoever is not signed in has none."""
        return _names(self.admins, id)

    def is_reviewer(self, id: str) -> bool:
        """The same for reviewers."""
        return _names(self.reviewers, id)

    def allows_host(self, host: str, loopback: bool) -> bool:
        """Whether requests may name this host; loopback: they come from this machine."""
        if host in LOOPBACK and (loopback or not self.hosted):
            return True
        return host in self.hosts or (self.hosted and not self.hosts)


def _names(people: tuple[str, ...], id: str) -> bool:
    """Whether a list names somebody, by their id or by their name alone.

    >>> _names(("ada", "hf:rex"), "hf:ada"), _names(("ada", "hf:rex"), "auth:hf:rex"), _names(("ada",), "ada")
    (True, False, False)
    """
    _, _, name = id.partition(":")
    return bool(name) and (id in people or (":" not in name and name in people))


def _is_hosted(environ: Mapping[str, str]) -> bool:
    mode = environ.get("DIFFUMASK_MODE", "").strip().lower()
    if mode not in ("", *MODES):
        raise InputError(f"DIFFUMASK_MODE is {mode!a}; it must be one of {', '.join(MODES)}.")
    shared = environ.get("GRADIO_SHARE", "").lower() == "true" or "SPACE_ID" in environ
    public = shared or environ.get("GRADIO_SERVER_NAME", "") not in ("", *LOOPBACK)
    if public and mode == "local":
        raise InputError(
            "DIFFUMASK_MODE=local serves this machine only: leave GRADIO_SERVER_NAME and GRADIO_SHARE out."
        )
    return public or mode == "hosted"


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in environ.get(name, "").split(",")) if part)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InputError(f"DIFFUMASK_PROXIES names {text!a}, which is no address or network.") from None


def _megabytes(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"DIFFUMASK_DISK_FREE is {text!a}; it must be a number of megabytes.")
    return int(text) * 2**20
