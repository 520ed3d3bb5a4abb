"""FaceID as one product behind the gateway: its name and version in signatures, its regions, and its actions."""

from __future__ import annotations

from renzheng import actions
from renzheng.accounts.keys import FACEID
from renzheng.actions.errors import ArrearsError, NonactivatedError
from renzheng.gateway.errors import InvalidParameterError, ServiceUnavailableError
from renzheng.gateway.manifest import Product, manifests_in

SERVICE, VERSION = FACEID, "2018-03-01"

# The regions of Tencent Cloud's public list.
REGIONS = frozenset(
    {
        "ap-bangkok", "ap-beijing", "ap-beijing-fsi", "ap-changsha-ec", "ap-chengdu", "ap-chongqing",
        "ap-fuzhou-ec", "ap-guangzhou", "ap-guangzhou-open", "ap-hangzhou-ec", "ap-hefei-ec", "ap-hongkong",
        "ap-jakarta", "ap-jinan-ec", "ap-mumbai", "ap-nanjing", "ap-osaka", "ap-qingyuan", "ap-seoul",
        "ap-shanghai", "ap-shanghai-adc", "ap-shanghai-fsi", "ap-shenyang-ec", "ap-shenzhen",
        "ap-shenzhen-fsi", "ap-shijiazhuang-ec", "ap-singapore", "ap-taipei", "ap-tianjin", "ap-tokyo",
        "ap-wuhan-ec", "ap-xian-ec", "ap-xibei-ec", "ap-zhengzhou-ec", "ap-zhongwei", "eu-frankfurt",
        "eu-moscow", "na-ashburn", "na-siliconvalley", "na-toronto", "sa-saopaulo", "me-saudi-arabia",
    }
)  # fmt: skip


def make_product() -> Product:
    """Make the product with all actions in this folder."""
    return Product(
        service=SERVICE,
        version=VERSION,
        title=("人脸核身", "Face identity verification"),
        regions=REGIONS,
        example_region="ap-guangzhou",
        actions=manifests_in(actions),
        errors=(InvalidParameterError, ServiceUnavailableError, ArrearsError, NonactivatedError),
    )
