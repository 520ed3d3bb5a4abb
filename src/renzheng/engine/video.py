"""The evidence video: an MP4 with H.264 made of exactly the judged frames at their times."""

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
    """(JPEG, seconds) in order -> MP4 (H.264, yuv420p, even size of the first frame that decodes).

    Every frame that decodes is in the video, once; times begin at 0 and rise strictly. Raises MediaError
    (corrupt) where no frame decodes.
    """
    import av

    limits = limits or MediaLimits()
    target = io.BytesIO()
    container: Any = None
    stream: Any = None
    start, last = 0.0, -1
    for jpeg, at in frames:
        try:
            image = decode(jpeg, limits, frame=True).image
        except MediaError:
            continue
        if stream is None:
            container = av.open(target, "w", format="mp4")
            stream = _stream(container, image)
            start = at
        picture = av.VideoFrame.from_ndarray(_fitted(image, stream.width, stream.height), format="bgr24")
        picture.time_base = TIME_BASE
        last = max(last + 1, round((at - start) / TIME_BASE))
        picture.pts = last
        container.mux(stream.encode(picture.reformat(format="yuv420p")))
    if stream is None:
        raise MediaError("corrupt", "none of the frames can be decoded")
    container.mux(stream.encode(None))
    container.close()
    return target.getvalue()


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
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
