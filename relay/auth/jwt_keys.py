"""The keys that JSON Web Tokens are verified with; each fixes its one algorithm. Pure.

A file holds a public key in PEM, a JWK, a JWKS, or a secret of printable characters. What looks
like one of the first three and is broken is refused: it must not become a secret that everybody
knows. No error repeats anything of a key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from relay.errors import ConfigError
from relay.limits import JWT_KEYS_MAX

_ALGORITHMS: Final[Mapping[str, frozenset[str]]] = {
    "oct": frozenset(("HS256", "HS384", "HS512")),
    "RSA": frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    "EC": frozenset(("ES256", "ES384", "ES512")),
    "OKP": frozenset(("EdDSA",)),
}
_CURVE_ALGORITHMS: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key and the one algorithm that a token of it is signed with."""

    algorithm: str
    key: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a file, by ``kid`` where they have one."""

    by_id: Mapping[str, VerifyingKey]
    unnamed: tuple[VerifyingKey, ...]

    def find(self, key_id: object) -> VerifyingKey | None:
        """Return the key that a token names, or the only one there is; None if there is none.

        A single key without a name verifies whatever name a token gives.
        """
        if not self.by_id and len(self.unnamed) == 1:
            return self.unnamed[0]
        if key_id is None and len(self.by_id) == 1 and not self.unnamed:
            return next(iter(self.by_id.values()))
        return self.by_id.get(key_id) if isinstance(key_id, str) else None


def parse_keys(content: bytes) -> KeySet:
    """Read a file of keys.

    Raises:
        ConfigError: it holds no key that can be used; the text says why.
    """
    text = content.strip()
    if b"-----BEGIN" in text:
        return KeySet({}, (_checked(_pem_key(text)),))
    if text.startswith((b"{", b"[")):
        return _json_keys(text)
    return KeySet({}, (_checked(VerifyingKey("HS256", _secret(text))),))


def _secret(text: bytes) -> bytes:
    if not text.isascii() or not text.decode("latin-1").isprintable():
        raise ConfigError("a secret is one line of printable characters, or a JWK of kty oct")
    return text


def _pem_key(text: bytes) -> VerifyingKey:
    if b"PRIVATE" in text:
        raise ConfigError("it holds a private key; the server needs the public one only")
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("it holds no public key in PEM (SubjectPublicKeyInfo)") from None
    if isinstance(key, rsa.RSAPublicKey):
        return VerifyingKey("RS256", key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return VerifyingKey("EdDSA", key)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_ALGORITHMS:
        return VerifyingKey(_CURVE_ALGORITHMS[key.curve.name], key)
    raise ConfigError("its key is neither RSA, EC (P-256, P-384, P-521) nor Ed25519")


def _json_keys(text: bytes) -> KeySet:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("it is not JSON") from None
    listed = content.get("keys", [content]) if isinstance(content, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= JWT_KEYS_MAX:
        raise ConfigError(f"it is neither a JWK nor a JWKS of 1 to {JWT_KEYS_MAX} keys")
    by_id: dict[str, VerifyingKey] = {}
    unnamed = []
    for number, entry in enumerate(listed, 1):
        if not isinstance(entry, dict):
            raise ConfigError(f"key {number} is not an object")
        if entry.get("use", "sig") != "sig":
            continue  # it is for another purpose than signatures
        key = _json_key(number, entry)
        key_id = entry.get("kid")
        if key_id is None:
            unnamed.append(key)
        elif not isinstance(key_id, str) or key_id in by_id:
            raise ConfigError(f"key {number} has a kid that is no string, or is there twice")
        else:
            by_id[key_id] = key
    if not by_id and not unnamed:
        raise ConfigError("it holds no key for signatures")
    return KeySet(by_id, tuple(unnamed))


def _json_key(number: int, entry: dict[str, Any]) -> VerifyingKey:
    kind = entry.get("kty")
    allowed = _ALGORITHMS.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    if not allowed or ("alg" in entry and entry["alg"] not in allowed):
        raise ConfigError(f"key {number} is of a kind or for an algorithm that is not taken")
    if kind != "oct" and "d" in entry:
        raise ConfigError(f"key {number} is a private key; the server needs the public one only")
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError):
        # Their own words may repeat the key.
        raise ConfigError(f"key {number} is broken") from None
    if key.algorithm_name not in allowed:
        raise ConfigError(f"key {number} is of a kind or for an algorithm that is not taken")
    return _checked(VerifyingKey(key.algorithm_name, key.key))


def _checked(key: VerifyingKey) -> VerifyingKey:
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    try:
        weakness = algorithm.check_key_length(algorithm.prepare_key(key.key))
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ConfigError("its key cannot be used") from None
    if weakness:
        raise ConfigError(f"its key is too short for {key.algorithm}")
    return key
