"""The evidence video: an MP4 with H.264, made of exactly the judged frames at their times."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cv2

from .limits import MediaLimits
from .media import MediaError, decode
from .runtimes import Image

TIME_BASE = Fraction(1, 90_000)
CRF = 26
"""x264's constant rate factor: small files in which a face is still well recognisable."""


def mux(frames: Sequence[tuple[bytes, float]], limits: MediaLimits | None = None) -> bytes:
    """Make an MP4 from (JPEG, seconds) in order, like `Muxer`. Raises MediaError (corrupt) if no frame decodes."""
    muxer = Muxer(limits or MediaLimits())
    for jpeg, at in frames:
        muxer.add(jpeg, at)
    return muxer.finish()


class Muxer:
    """Makes an MP4 frame by frame (H.264, yuv420p, even size of the first frame that decodes).

    Every frame that decodes is in the video, once. Times begin at 0 and rise strictly.
    """

    def __init__(self, limits: MediaLimits) -> None:
        self._limits = limits
        self._target = io.BytesIO()
        self._container: Any = None
        self._stream: Any = None
        self._start, self._last = 0.0, -1

    def add(self, jpeg: bytes, at: float) -> None:
        """Add the next frame; skipped if it does not decode. ``at``: seconds."""
        import av

        try:
            image = decode(jpeg, self._limits, frame=True).image
        except MediaError:
            return
        if self._stream is None:
            self._container = av.open(self._target, "w", format="mp4")
            self._stream = _stream(self._container, image)
            self._start = at
        stream = self._stream
        picture = av.VideoFrame.from_ndarray(_fitted(image, stream.width, stream.height), format="bgr24")
        picture.time_base = TIME_BASE
        self._last = max(self._last + 1, round((at - self._start) / TIME_BASE))
        picture.pts = self._last
        self._container.mux(stream.encode(picture.reformat(format="yuv420p")))

    def finish(self) -> bytes:
        """Finish the video. Raises MediaError (corrupt) if no frame was decoded."""
        if self._stream is None:
            raise MediaError("corrupt", "none of the frames can be decoded")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._target.getvalue()


def _stream(container: Any, image: Image) -> Any:
    stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": str(CRF)})
    stream.height, stream.width = (max(2, side - side % 2) for side in image.shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = TIME_BASE
    stream.codec_context.thread_count = 1
    return stream


def _fitted(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
        return image[:height, :width]
    picture: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return picture
