"""All settings, from `RENZHENG_*` variables or a `.env` file. Each is defined once, in the file of the room that reads
it.

To add one, write it into the section of its room with default, bounds and sentence (and its Chinese sentence into
scripts/chinese.py); everything else reads it from there. A part of the server takes its own section as its argument.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from renzheng.base import environment
from renzheng.settings.capture import CaptureSection
from renzheng.settings.console import ConsoleSection
from renzheng.settings.delivery import DeliverySection
from renzheng.settings.engine import EngineSection
from renzheng.settings.gateway import GatewaySection
from renzheng.settings.judging import JudgingSection
from renzheng.settings.listeners import ListenerSection
from renzheng.settings.management import ManagementSection
from renzheng.settings.store import StoreSection
from renzheng.settings.verification import VerificationSection


class Settings(
    ListenerSection,
    StoreSection,
    ConsoleSection,
    GatewaySection,
    VerificationSection,
    CaptureSection,
    ManagementSection,
    EngineSection,
    JudgingSection,
    DeliverySection,
    BaseSettings,
):
    """All sections. Raises pydantic's ValidationError, naming the variable, for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=environment.PREFIX, extra="ignore", allow_inf_nan=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: a command's options, then the environment, then the file `.env`."""
        return init_settings, env_settings, _OwnFile(settings_cls)


SECTIONS: tuple[type[BaseModel], ...] = tuple(base for base in Settings.__bases__ if base is not BaseSettings)
"""The sections in the order of the docs."""


class _OwnFile(EnvSettingsSource):
    """The settings in `.env`, as `environment.read_file` gives them."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in environment.read_file().items()}


class SettingsError(Exception):
    """A setting cannot be used. The text names the variable and says why."""


_MASTER_KEY = f"{environment.PREFIX}MASTER_KEY"


def load_settings(**given: object) -> Settings:
    """Load the settings of this process; `given` ones win. Raises SettingsError with a sentence for each setting."""
    known = {f"{environment.PREFIX}{name.upper()}" for name in Settings.model_fields}
    try:
        environment.take(_MASTER_KEY)
        secret = environment.taken_secret(_MASTER_KEY)
        if secret is not None:
            given.setdefault("master_key", secret)
        faults = environment.faults({**environment.read_file(), **os.environ}, known)
        if faults:
            raise SettingsError("\n".join(faults))
        return Settings(**given)  # type: ignore[arg-type]
    except environment.BadEnvironmentError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(dict(fault)) for fault in error.errors())) from None


def _sentence(fault: dict[str, Any]) -> str:
    said = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:  # an error of several settings together; its sentence names them
        return said
    return f"{environment.PREFIX}{str(fault['loc'][0]).upper()}: {said}"
