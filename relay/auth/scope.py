"""The documents a credential is for: exact names, prefixes up to a slash, or all. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from relay.limits import SCOPE_RULES_MAX
from yjs_store import NameRefused, check_name

EVERY_DOCUMENT: Final = "*"
_BELOW: Final = "/*"


class ScopeRefused(ValueError):
    """Not a list of documents as `Scope.parse` takes it; the text says which rule and why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents that somebody may use: exact names, prefixes up to a slash, or all."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    is_everything: bool

    @classmethod
    def parse(cls, rules: Iterable[str]) -> "Scope":
        """Read rules: ``name``, ``folder/*`` or ``*``.

        Raises:
            ScopeRefused: a rule is something else, or there are none or too many.
        """
        listed = tuple(rules)
        if not 0 < len(listed) <= SCOPE_RULES_MAX:
            raise ScopeRefused(f"needs 1 to {SCOPE_RULES_MAX} names or prefixes of documents")
        prefixes = tuple(_prefix(rule) for rule in listed if rule.endswith(_BELOW))
        names = {_name(rule) for rule in listed if not _is_pattern(rule)}
        return cls(frozenset(names), prefixes, EVERY_DOCUMENT in listed)

    def covers(self, document: str | None) -> bool:
        """Say whether a document is among them; None asks for all there are."""
        if self.is_everything:
            return True
        if document is None:
            return False
        return document in self.names or (
            _is_plain_path(document) and document.startswith(self.prefixes)
        )


def _is_pattern(rule: str) -> bool:
    return rule == EVERY_DOCUMENT or rule.endswith(_BELOW)


def _prefix(rule: str) -> str:
    """Return what a name below it starts with, the slash included."""
    folder = rule.removesuffix(_BELOW)
    if not folder or not _is_plain_path(folder):
        raise ScopeRefused(f"{rule!r} is no prefix: write folder/* without empty or dot parts")
    return _name(folder) + "/"


def _name(rule: str) -> str:
    if EVERY_DOCUMENT in rule:
        raise ScopeRefused(f"{rule!r} has a * elsewhere than as folder/* or *")
    try:
        return check_name(rule)
    except NameRefused as error:
        raise ScopeRefused(f"{rule!r} is no name of a document: {error}") from error


def _is_plain_path(name: str) -> bool:
    """Say whether the parts between slashes mean nothing but themselves.

    Names are never paths here, but a proxy or a browser may have its own ideas of
    ``notes/../secret``; a prefix grants no name that somebody could read in two ways.
    """
    return all(part not in ("", ".", "..") for part in name.split("/"))
