"""renzheng (人证): self-hosted face identity verification that speaks Tencent Cloud FaceID's API."""

__version__ = "0.1.0"
