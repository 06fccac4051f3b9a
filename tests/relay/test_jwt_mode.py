"""Signed tokens: the key fixes the algorithm, and every way around it is closed."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from relay.auth.grants import Forbidden, Grant, Unauthorized
from relay.auth.jwt_keys import parse_keys
from relay.auth.jwt_mode import JwtRules, SignedTokens, grant_of, verify
from relay.errors import ConfigError
from relay.limits import JWT_LEEWAY_S
from yjs_store import Permission

SECRET = "s" * 32
RULES = JwtRules("issuer", "audience", "sub", "documents", "permission")
LOOSE = JwtRules("", "", "sub", "documents", "permission")
HOUR_S = 3600
RSA = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, Any] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Any) -> bytes:
    encoded: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def private_pem(key: Any) -> bytes:
    encoded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return encoded


def jwk(algorithm: str, **more: str) -> dict[str, Any]:
    public = KEYS[algorithm].public_key()
    made: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    return made | more


def claims(**changed: Any) -> dict[str, Any]:
    made = {
        "sub": "ann",
        "iss": "issuer",
        "aud": "audience",
        "documents": ["notes/*"],
        "permission": "write",
        "exp": int(time.time()) + HOUR_S,
    } | changed
    return {name: value for name, value in made.items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm)


def raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    """Write a token as nobody's library would."""

    def part(value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"{part(header)}.{part(payload)}.{part(signature)}"


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
def test_a_token_of_the_key_is_verified(algorithm: str, form: str) -> None:
    one = jwk(algorithm)
    content = {
        "pem": pem(KEYS[algorithm]),
        "jwk": json.dumps(one).encode(),
        "jwks": json.dumps({"keys": [one | {"kid": "k"}]}).encode(),
    }[form]
    token = signed(KEYS[algorithm], algorithm)
    assert verify(token, parse_keys(content), RULES)["sub"] == "ann"


def test_a_jwk_may_name_another_algorithm_of_its_kind_and_then_only_that() -> None:
    keys = parse_keys(json.dumps(jwk("RS256", alg="PS384")).encode())
    assert verify(signed(RSA, "PS384"), keys, RULES)
    with pytest.raises(Unauthorized):
        verify(signed(RSA, "RS256"), keys, RULES)


@pytest.mark.parametrize(
    "token",
    [
        # The public key as a secret: what a server verifies if it believes the header.
        jwt.api_jws.PyJWS().encode(b"{}", "x" * 32, "HS256"),
        raw({"alg": "none", "typ": "JWT"}, claims()),
        raw({"alg": "None"}, claims()),
        raw({"alg": ""}, claims()),
        raw({}, claims()),
        raw({"alg": ["RS256"]}, claims()),
        raw({"alg": "RS256"}, claims()),
        signed(KEYS["ES256"], "ES256"),
        signed(rsa.generate_private_key(65537, 2048), "RS256"),
        signed(RSA, "RS512"),
        signed(RSA, "PS256"),
    ],
)
def test_the_header_of_a_token_chooses_no_algorithm(token: str) -> None:
    """Field note 24 and more: `none`, and the confusion of public keys with secrets."""
    assert verify(signed(RSA, "RS256"), parse_keys(pem(RSA)), RULES)
    with pytest.raises(Unauthorized):
        verify(token, parse_keys(pem(RSA)), RULES)


def test_the_public_key_is_no_secret() -> None:
    key = pem(RSA).strip()
    header = {"alg": "HS256", "typ": "JWT"}
    unsigned = raw(header, claims()).rpartition(".")[0]
    signature = (
        jwt.get_algorithm_by_name("HS256")
        .__class__(jwt.algorithms.HMACAlgorithm.SHA256)
        .sign(unsigned.encode(), key)
    )
    forged = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(Unauthorized):
        verify(forged, parse_keys(pem(RSA)), RULES)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": None}, "not valid"),
        ({"exp": int(time.time()) - HOUR_S}, "expired"),
        ({"exp": "soon"}, "not valid"),
        ({"exp": float("inf")}, "not valid"),
        ({"nbf": int(time.time()) + HOUR_S}, "not valid"),
        ({"iat": int(time.time()) + HOUR_S}, "not valid"),
        ({"iss": None}, "not valid"),
        ({"iss": "other"}, "not valid"),
        ({"aud": None}, "not valid"),
        ({"aud": "other"}, "another audience"),
        ({"aud": ["other"]}, "another audience"),
        ({"sub": None}, "not valid"),
        ({"sub": ""}, "not valid"),
        ({"sub": "a\nb"}, "not valid"),
        ({"permission": "owner"}, "not valid"),
        ({"permission": ["write"]}, "not valid"),
    ],
)
def test_a_token_that_says_something_else_is_not_valid(
    changed: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unauthorized, match=reason):
        grant_of(verify(signed(**changed), parse_keys(SECRET.encode()), RULES), RULES, "notes/a")


def test_a_token_for_somebody_else_is_not_valid_where_no_audience_is_configured() -> None:
    keys = parse_keys(SECRET.encode())
    with pytest.raises(Unauthorized, match="another audience"):
        verify(signed(), keys, LOOSE)
    assert verify(signed(aud=None, iss=None), keys, LOOSE)


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "a.b.c", "ü.ü.ü", "\udcff", "x" * 4096),
        *(raw(b"[" * 3000, {}), raw(b"\xff", {}), raw([], {}), raw({"alg": "HS256", "kid": 1}, {})),
        *(signed() + "x", signed()[:-2], "." + signed(), signed() + "."),
    ],
)
def test_what_is_no_token_is_refused_and_nothing_worse(token: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        verify(token, parse_keys(SECRET.encode()), LOOSE)
    assert len(token) < 5 or token not in str(caught.value)


def test_a_verified_payload_that_is_no_object_is_refused() -> None:
    for payload in (b"[]", b"1", b"[" * 3000, b"\xff"):
        token = jwt.api_jws.PyJWS().encode(payload, SECRET, "HS256")
        with pytest.raises(Unauthorized):
            verify(token, parse_keys(SECRET.encode()), LOOSE)


def test_what_a_token_grants_stands_in_its_claims() -> None:
    end_ms = 1000 * (2_000_000_000 + JWT_LEEWAY_S)
    made = claims(exp=2_000_000_000)
    assert grant_of(made, RULES, "notes/a") == Grant("ann", Permission.WRITE, end_ms)
    assert grant_of(claims(permission=None), RULES, "notes/a").permission is Permission.READ
    assert grant_of(claims(documents="notes/*"), RULES, "notes/a")
    assert grant_of(claims(documents="*"), RULES, None)
    for documents in (None, [], ["other"], ["notes"], [1], {"notes/a": 1}, 1, ["notes*"], ["*", 1]):
        with pytest.raises(Forbidden):
            grant_of(claims(documents=documents), RULES, "notes/a")
    other = JwtRules("", "", "user", "docs", "may")
    named = {"user": "bob", "docs": ["a"], "may": "admin", "exp": 1}
    assert grant_of(named, other, "a").user == "bob"


def test_a_key_is_found_by_its_name() -> None:
    keys = [jwk("RS256", kid="r"), jwk("ES256", kid="e"), {"kty": "RSA", "use": "enc", "kid": "x"}]
    found = parse_keys(json.dumps({"keys": keys}).encode())

    def token(algorithm: str, key_id: str | None) -> str:
        headers = {} if key_id is None else {"kid": key_id}
        return jwt.encode(claims(), KEYS[algorithm], algorithm, headers=headers)

    assert verify(token("RS256", "r"), found, RULES)
    assert verify(token("ES256", "e"), found, RULES)
    for algorithm, key_id in (("RS256", "e"), ("ES256", "r"), ("RS256", None), ("RS256", "x")):
        with pytest.raises(Unauthorized):
            verify(token(algorithm, key_id), found, RULES)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"two\nlines of a secret that is long enough",
        bytes(64),
        "ü".encode() * 40,
        private_pem(RSA),
        b"-----BEGIN PUBLIC KEY-----\nbroken\n-----END PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": {}}',
        json.dumps({"kty": "oct", "k": "c2hvcnQ"}).encode(),
        json.dumps({"kty": "oct", "k": "x" * 43, "alg": "none"}).encode(),
        json.dumps({"kty": "oct", "k": "x" * 43, "alg": "RS256"}).encode(),
        json.dumps({"kty": "rsa"}).encode(),
        json.dumps({"kty": ["RSA"]}).encode(),
        json.dumps({"kty": "RSA", "n": "x", "e": "AQAB"}).encode(),
        json.dumps({"keys": [jwk("RS256", kid="a"), jwk("ES256", kid="a")]}).encode(),
        json.dumps({"keys": [jwk("RS256", use="enc")]}).encode(),
        json.dumps(jwk("RS256", alg="HS256")).encode(),
        json.dumps(jwk("RS256", d="AQAB")).encode(),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ec.generate_private_key(ec.SECP256K1())),
    ],
)
def test_a_file_without_a_good_key_is_refused_and_never_becomes_a_secret(content: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_keys(content)
    assert "xxx" not in str(caught.value)


def test_a_private_key_is_called_so() -> None:
    with pytest.raises(ConfigError, match="private"):
        parse_keys(private_pem(RSA))


async def test_new_keys_count_as_soon_as_the_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [jwk("RS256", kid="r")]}))
    authority = SignedTokens(file, RULES)
    old = jwt.encode(claims(), RSA, "RS256", headers={"kid": "r"})
    new = jwt.encode(claims(), KEYS["ES256"], "ES256", headers={"kid": "e"})
    assert (await authority.judge(old, "notes/a")).user == "ann"
    with pytest.raises(Unauthorized):
        await authority.judge(new, "notes/a")
    file.write_text(json.dumps({"keys": [jwk("ES256", kid="e"), jwk("ES384", kid="f")]}))
    authority.refresh()
    authority.refresh()
    assert authority.version == 1
    assert (await authority.judge(new, "notes/a")).user == "ann"
    with pytest.raises(Unauthorized):
        await authority.judge(old, "notes/a")
    file.write_text("{")
    authority.refresh()
    authority.refresh()
    assert authority.version == 1
    assert (await authority.judge(new, "notes/a")).user == "ann"
