"""Where the server listens, under which names it is known, and how much a connection may use."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.base.defaults import MIB
from renzheng.settings.kinds import Filled, HostNames, Networks, Site


class ListenerSection(BaseModel):
    """Read by the listeners, and by code that needs the server's address."""

    host: Filled = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8400, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    operator_host: Filled = Field(
        "127.0.0.1", description="Address of the operator's listener, which has /readyz, /metrics and /console."
    )
    operator_port: int = Field(8401, ge=0, le=65535, description="Port of the operator's listener; 0 takes a free one.")
    public_url: Site = Field("", description="URL that devices open, if it is not host and port.")
    allowed_hosts: HostNames = Field(
        (),
        description="More host names that pages answer to, comma-separated. The host of the public URL always "
        "works; without a public URL, the machine's own names do.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses of trusted proxies, comma-separated. X-Forwarded-For and X-Forwarded-Proto count "
        "from these only.",
    )
    explorer: bool = Field(True, description="Whether the server has /explorer, the page to try the signed API.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Lowest level that is logged.")
    log_json: bool = Field(False, description="Log lines as JSON, for a collector.")
    connections: int = Field(
        4096,
        ge=16,
        description="Maximum connections open at once; fewer if the system allows fewer file descriptors.",
    )
    connections_per_address: int = Field(
        256,
        ge=1,
        description="Maximum connections open at once from one address (IPv6: one /64). Above it, the server closes "
        "the one that is idle longest. Trusted proxies do not count.",
    )
    min_free_descriptors: int = Field(
        128, ge=32, description="File descriptors kept free for the store and the engine."
    )
    keep_alive_seconds: int = Field(
        75, ge=1, description="Seconds that an idle connection stays open; set it higher than in the proxy in front."
    )
    head_seconds: float = Field(10, gt=0, description="Seconds in which a connection must send a complete head.")
    handshake_seconds: float = Field(
        10, gt=0, description="Seconds in which a connection must finish its TLS handshake, where the server does TLS."
    )
    head_bytes: int = Field(
        64 * 1024, ge=8 * 1024, le=MIB, description="Largest head of a request with its query, bytes."
    )

    @property
    def server_names(self) -> tuple[str, ...]:
        """Names that clients may call the server by, with and without a port, as a proxy may remove it."""
        public = self.public_url.partition("://")[2]
        listed = (public, *self.allowed_hosts, f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        return tuple(dict.fromkeys(name for name in listed if name))
