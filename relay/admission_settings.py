"""The settings that say who is let in. Secrets are named by their files: options can be seen."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from relay.limits import ASK_AGAIN_AHEAD_S, HOOK_TIMEOUT_S, SESSION_TTL_S, TICKET_TTL_S


class AdmissionSettings(BaseSettings):
    """The part of the settings that `relay.auth` is made of."""

    auth: Literal["none", "token", "jwt", "hook"] = Field(
        "none",
        description="Who decides who is let in: nobody, a file of tokens, the key of signed"
        " tokens, or a hook.",
    )
    allow_anonymous: bool = Field(
        False, description="Let everybody in from elsewhere than this computer, with --auth none."
    )
    token_file: Path | None = Field(None, description="For --auth token: the file of tokens.")
    jwt_key_file: Path | None = Field(
        None,
        description="For --auth jwt: a public key (PEM, JWK or JWKS) or a secret, which fixes the"
        " algorithm.",
    )
    jwt_issuer: str = Field("", description="The iss that a token must have; empty for any.")
    jwt_audience: str = Field("", description="The aud that a token must have; empty for none.")
    jwt_user_claim: str = Field("sub", min_length=1, description="The claim with the user.")
    jwt_documents_claim: str = Field(
        "documents", min_length=1, description="The claim with names, prefixes (folder/*) or *."
    )
    jwt_permission_claim: str = Field(
        "permission", min_length=1, description="The claim with read, write or admin."
    )
    hook: str = Field(
        "", description="For --auth hook: an http(s) URL, or module:function in Python."
    )
    hook_timeout_s: float = Field(
        HOOK_TIMEOUT_S, gt=0, le=HOOK_TIMEOUT_S, description="Seconds within which it answers."
    )
    session_ttl_s: float = Field(
        SESSION_TTL_S,
        ge=ASK_AGAIN_AHEAD_S,
        description="Seconds after which a session is asked about again.",
    )
    ticket_ttl_s: float = Field(
        TICKET_TTL_S, ge=1, description="Seconds for which a ticket can be used to connect."
    )
    allowed_origins: str = Field(
        "",
        description="Origins of web pages that may connect, with commas between, or *. Without"
        " any: pages of this computer and, by its address, of this server.",
    )
    enable_admin_routes: bool = Field(False, description="Serve /admin/.")
    admin_token_file: Path | None = Field(
        None, description="The file with a token for /admin/ alone."
    )
    observer_token_file: Path | None = Field(
        None,
        description="The file with a token for /debug and /metrics alone, to look at them.",
    )
