"""What stands at the door: authority, origins and the admin gate, made from the settings."""

import ipaddress
from dataclasses import dataclass

import structlog

from relay.admin_gate import AdminGate
from relay.auth.anonymous import Anonymous
from relay.auth.grants import Authority
from relay.auth.modes import make_authority
from relay.auth.origins import OriginRefused, Origins
from relay.auth.strangers import Strangers
from relay.clock import monotonic_s, now_ms
from relay.config import Settings
from relay.debug.gate import ObserverGate
from relay.errors import ConfigError

log = structlog.get_logger("relay.entrance")


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who is asked, which pages may come, who may use the admin routes, if anybody, and look.

    By whichever way credentials of strangers come, they are judged by the same ``strangers``: a
    network has one share of whoever decides, not one for each way.
    """

    authority: Authority
    strangers: Strangers
    origins: Origins
    admin: AdminGate | None
    observers: ObserverGate


def make_entrance(settings: Settings, address: str) -> Entrance:
    """Return the entrance of a server that listens on an IP address.

    Raises:
        ConfigError: it would be no entrance, or an open one that nobody asked for.
    """
    authority = make_authority(settings, now_ms)
    try:
        origins = Origins.parse(
            settings.allowed_origins, needs_credential=authority.needs_credential
        )
    except OriginRefused as error:
        raise ConfigError(f"allowed_origins: {error}") from None
    if isinstance(authority, Anonymous):
        _check_anonymous(settings, address)
    strangers = Strangers(authority, monotonic_s)
    gate = None
    if settings.enable_admin_routes:
        gate = AdminGate(authority, settings.admin_token_file, strangers)
    observers = ObserverGate(
        authority,
        settings.admin_token_file,
        settings.observer_token_file,
        monotonic_s,
        is_for_everybody=settings.allow_anonymous,
        strangers=strangers,
    )
    return Entrance(authority, strangers, origins, gate, observers)


def _check_anonymous(settings: Settings, address: str) -> None:
    """Let nobody open their documents to everybody without having said so."""
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return
    if not settings.allow_anonymous:
        raise ConfigError(
            f"--auth none lets everybody in who can reach {settings.host}: choose --auth token,"
            " jwt or hook, or say --allow-anonymous"
        )
    log.warning(
        "EVERYBODY WHO CAN REACH THIS SERVER MAY READ AND WRITE EVERY DOCUMENT",
        host=settings.host,
        because="--auth none and --allow-anonymous",
    )
