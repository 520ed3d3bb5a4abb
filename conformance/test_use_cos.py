"""UseCos from end to end: the official SDK asks, the bucket is COS by its S3 interface, COS's own SDK reads it back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renzheng.evaluation.device import Device, DeviceLimits
from renzheng.evaluation.performance import Performance
from tests.support.cos import KEY_ID, NAME, REGION, SECRET, CosFront
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result, token

FOLDER = Path(__file__).resolve().parent / "clients" / "cos"
VERSION = "1.9.44"
SCRIPT = """
import hashlib, json, sys
from qcloud_cos import CosConfig, CosS3Client
given = json.load(sys.stdin)
client = CosS3Client(CosConfig(Region=given["region"], SecretId=given["id"], SecretKey=given["secret"], Scheme="http",
                               Proxies={"http": given["proxy"]}))
found = []
for key in given["keys"]:
    body = client.get_object(Bucket=given["bucket"], Key=key)["Body"].get_raw_stream().read()
    found.append([client.get_object_url(Bucket=given["bucket"], Key=key), hashlib.sha256(body).hexdigest()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, front: CosFront) -> Iterator[Server]:
    """A server of its own, which reaches COS through the front as its outgoing proxy."""
    running = Server(tmp_path_factory.mktemp("cos"), bucket_proxy=front.proxy, delivery_wait_seconds=10).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def cos_python() -> Path:
    """A Python with cos-python-sdk-v5."""
    python = FOLDER / "bin" / "python"
    if not (FOLDER / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        package = f"cos-python-sdk-v5=={VERSION}"
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", package], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{package} cannot be installed here: {done.stderr.strip()[-200:]}")
        (FOLDER / ".ready").touch()
    return python


def test_evidence_is_in_the_bucket_at_the_addresses_that_the_result_names(
    shop: Server, front: CosFront, cos_python: Path
) -> None:
    shown = shop.command(
        *("bucket", "authorise", NAME, "--region", REGION, "--endpoint", f"http://cos.{REGION}.myqcloud.com"),
        *("--style", "virtual", "--prefix", "faceid", "--key-id", KEY_ID),
        given=f"{SECRET}\n",
    )
    assert f"http://{NAME}.cos.{REGION}.myqcloud.com/faceid/" in shown
    fetched = verified(shop)
    assert fetched.Result == "0"
    addresses = [fetched.VideoBase64, fetched.BestFrameBase64]
    keys = [address.partition(".myqcloud.com/")[2] for address in addresses]
    stored = front.objects()
    assert sorted(keys) == sorted(stored)
    assert stored[keys[0]][4:8] == b"ftyp"
    assert stored[keys[1]][:3] == b"\xff\xd8\xff"
    given = {"region": REGION, "id": KEY_ID, "secret": SECRET, "proxy": front.proxy, "bucket": NAME, "keys": keys}
    done = subprocess.run(
        [str(cos_python), "-c", SCRIPT], input=json.dumps(given), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    digests = [hashlib.sha256(stored[key]).hexdigest() for key in keys]
    assert json.loads(done.stdout) == [list(pair) for pair in zip(addresses, digests, strict=True)]
    assert SECRET not in shop.log.read_text() + shop.command("bucket", "show") + shop.command("audit", "list")


def verified(shop: Server) -> Any:
    """The result of one verification with UseCos. A puppet is not found alive every time: three tries."""
    client = shop.sdk()
    puppet = sample_puppet()
    for seed in range(3):
        issued = token(client, CompareLib="LOCAL", ImageBase64=base64_of(sample()), UseCos=True)
        scene = Performance(puppet, "head", seed=seed)
        asyncio.run(Device(shop.url, issued, scene, limits=DeviceLimits(reconnects=5, seconds=120)).run())
        fetched = result(client, issued, IsNeedVideo=True, IsNeedBestFrame=True)
        if fetched.Result not in ("1004", "1005"):
            return fetched
    raise AssertionError("not found alive in three tries")
