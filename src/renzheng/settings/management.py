"""The management service."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.base import defaults


class ManagementSection(BaseModel):
    """Read by the management service."""

    management_public: bool = Field(
        defaults.MANAGEMENT_PUBLIC,
        description="Whether the management service also answers on the public listener, for keys that it was granted.",
    )
    import_hours: float = Field(
        defaults.IMPORT_HOURS, gt=0, description="Hours after which an import that nobody touches is given up."
    )
