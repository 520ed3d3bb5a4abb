"""The pages for the people who run the server."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from renzheng.base.defaults import MIB
from renzheng.settings.kinds import Issuer, Site


class ConsoleSection(BaseModel):
    """Read by the console."""

    console: bool = Field(True, description="Whether the operator's listener has /console, the pages for its people.")
    console_url: Site = Field(
        "", description="URL at which people open the console, if it is not the operator's host and port."
    )
    console_idle_minutes: float = Field(
        30, ge=1, le=1440, description="Minutes without a request after which a person has to sign in again."
    )
    console_session_hours: float = Field(
        12, gt=0, le=168, description="Hours after which a person has to sign in again in any case."
    )
    console_tries: int = Field(
        5,
        ge=1,
        le=100,
        description="Wrong passwords or codes of one person from one address in one window; 4 times as many from one "
        "address, 10 times as many for one person.",
    )
    console_tries_minutes: float = Field(15, gt=0, le=1440, description="Length of such a window, minutes.")
    console_password_length: int = Field(12, ge=8, le=128, description="Minimum characters of a person's password.")
    console_upload_bytes: int = Field(
        64 * MIB,
        ge=MIB,
        le=1024 * MIB,
        description="Maximum bytes of files that one form of the console takes at once.",
    )
    console_link_minutes: float = Field(
        60, gt=0, le=10080, description="Minutes that a link for choosing a password is valid."
    )
    oidc_issuer: Issuer = Field(
        "", description="URL of an identity provider (OpenID Connect) with which people may sign in to the console."
    )
    oidc_client_id: str = Field("", description="The console's client ID at the identity provider.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="The secret of this client.")
    oidc_claim: str = Field(
        "email",
        pattern="^[a-z_]{1,64}$",
        description="The claim of the provider that is an operator's name here, such as email (only a verified one "
        "counts) or preferred_username.",
    )
    oidc_title: str = Field("OpenID Connect", max_length=40, description="The provider's name on the sign-in page.")
    oidc_seconds: float = Field(
        10, gt=0, le=120, description="Seconds in which the identity provider must answer one request completely."
    )

    @model_validator(mode="after")
    def _knows_client(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret.get_secret_value()):
            raise ValueError("RENZHENG_OIDC_ISSUER needs RENZHENG_OIDC_CLIENT_ID and RENZHENG_OIDC_CLIENT_SECRET too")
        return self
