"""The management of this installation as a product behind the gateway."""

from __future__ import annotations

from renzheng import management
from renzheng.accounts.keys import RENZHENG
from renzheng.actions.product import REGIONS
from renzheng.gateway.manifest import Product, manifests_in
from renzheng.management.errors import ResourceNotFoundError, RoleDeniedError

SERVICE, VERSION = RENZHENG, "2026-11-26"


def make_product() -> Product:
    """Make the product with all actions in this folder. It accepts any region, as SDKs send one, and ignores it."""
    return Product(
        service=SERVICE,
        version=VERSION,
        title=("管理", "Management"),
        regions=REGIONS,
        example_region="ap-guangzhou",
        actions=manifests_in(management),
        errors=(RoleDeniedError, ResourceNotFoundError),
    )
