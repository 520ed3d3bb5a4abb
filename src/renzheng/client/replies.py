"""The typed replies of the client. A field that the server left out or sent as null is None."""

import msgspec


class FaceIdToken(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """The reply of GetFaceIdToken: a token for one verification, valid for ten minutes.

    `client_config` is passed to the client SDK unchanged, if there is one.
    """

    face_id_token: str
    request_id: str
    client_config: str | None = None

    def __str__(self) -> str:
        return self.face_id_token


class FaceIdResult(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """The reply of GetFaceIdResult.

    result: the business code, "0" for a passed verification. similarity: 0 … 100. video_base64 and
    best_frame_base64: Base64, or the address of an object in COS. The tags are None where the server does not judge
    devices. A `result` other than "0" is not an error; it is the result of the verification.
    """

    result: str
    request_id: str
    description: str | None = None
    similarity: float | None = None
    id_card: str | None = None
    name: str | None = None
    video_base64: str | None = None
    best_frame_base64: str | None = None
    extra: str | None = None
    device_info_tag: str | None = None
    risk_info_tag: str | None = None
    liveness_info_tag: str | None = None
    device_info_level: str | None = None
    id_card_front_base64: str | None = None

    @property
    def passed(self) -> bool:
        """Whether a live person was seen and matches the reference photo."""
        return self.result == "0"

    def __repr__(self) -> str:
        # The struct's own representation would put a name and an ID number into the first log line that prints it.
        return f"FaceIdResult(result={self.result!r}, request_id={self.request_id!r})"
