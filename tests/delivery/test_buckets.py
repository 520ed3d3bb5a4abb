"""What a bucket may look like, and the address that its objects have."""

from __future__ import annotations

from typing import Any

import pytest

from renzheng.accounts.buckets import Bucket, BucketRefusedError, cos_bucket, s3_bucket

KEY = "20260101/00ff/video.mp4"


@pytest.mark.parametrize(
    ("bucket", "address"),
    [
        (
            cos_bucket("faces-1250000000", "ap-guangzhou"),
            "https://faces-1250000000.cos.ap-guangzhou.myqcloud.com/20260101/00ff/video.mp4",
        ),
        (
            s3_bucket("faces", "https://s3.example.com", virtual=True),
            "https://faces.s3.example.com/20260101/00ff/video.mp4",
        ),
        (s3_bucket("faces", "http://10.0.0.5:9000"), "http://10.0.0.5:9000/faces/20260101/00ff/video.mp4"),
        (
            cos_bucket("faces-1250000000", "ap-beijing", public_base="https://faces.example.com/"),
            "https://faces.example.com/20260101/00ff/video.mp4",
        ),
    ],
)
def test_addresses(bucket: Bucket, address: str) -> None:
    assert bucket.address(KEY) == address


def test_a_prefix_stands_before_the_folder() -> None:
    assert cos_bucket("faces-1250000000", "ap-beijing", "a/b").key("20260101/00ff", "video.mp4") == f"a/b/{KEY}"
    assert cos_bucket("faces-1250000000", "ap-beijing").key("20260101/00ff", "video.mp4") == KEY


@pytest.mark.parametrize(
    "given",
    [
        {"name": "faces"},  # no APPID
        {"name": "Faces-1250000000"},
        {"region": "ap guangzhou"},
        {"region": ""},
        {"region": "ap-guangzhou.evil.com/"},
        {"prefix": "/a"},
        {"prefix": "a/"},
        {"prefix": "a//b"},
        {"prefix": "a/../b"},
        {"prefix": "人脸"},
        {"prefix": "a" * 201},
        {"public_base": "faces.example.com"},
        {"public_base": "https://faces.example.com?x=1"},
        {"public_base": "https://["},
        {"link_hours": 169},
        {"link_hours": -1},
        {"public_base": "https://faces.example.com", "link_hours": 1},
    ],
)
def test_what_is_no_cos_bucket_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BucketRefusedError):
        cos_bucket(**{"name": "faces-1250000000", "region": "ap-guangzhou", **given})


@pytest.mark.parametrize(
    "endpoint",
    [
        *("s3.example.com", "ftp://s3.example.com", "https://", "https://s3.example.com/bucket"),
        *("https://user:secret@s3.example.com", "https://s3.example.com?x=1", "https://@s3.example.com"),
        *("http://[", "https://[::1", "https://s3.example.com:99999", "https://s3.example.com:x"),
    ],
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(BucketRefusedError):
        s3_bucket("faces", endpoint)
