"""`renzheng judge`: a process that only judges, beside a server or on another machine; any number of them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from functools import partial
from typing import Annotated

import typer

from renzheng.cli import listeners
from renzheng.cli.local import refuse, unusable
from renzheng.cli.waiting import once_there
from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.workers import WorkerDiedError
from renzheng.server.judging import JudgeProcess
from renzheng.server.logs import configure_logs
from renzheng.server.operator import operator_app
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.engine import StoreError

_REFUSALS = (packs.PackError, listeners.CannotListenError, StoreError, WorkerDiedError, EngineUnusableError)


def judge(
    operator_port: Annotated[
        int | None,
        typer.Option(help="Port for /healthz, /readyz and /metrics, on RENZHENG_OPERATOR_HOST; without it, none."),
    ] = None,
) -> None:
    """Judge what servers on the same records have captured. Needs their records, keys and evidence."""
    given = {} if operator_port is None else {"operator_port": operator_port}
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        refuse(str(error), 2)
    configure_logs(settings.log_level, settings.log_json)
    if faults := packs.faults():
        refuse(f"Models cannot be used ({'; '.join(faults)}): run `renzheng models install` first.", 2)
    try:
        asyncio.run(_run(settings, has_listener=operator_port is not None))
    except _REFUSALS as error:
        refuse(str(error), 2)
    except (OSError, sqlite3.Error) as error:
        refuse(unusable(error), 2)


async def _judge_process(settings: Settings) -> JudgeProcess:
    """Make the process. Raises AwayError if the database or the object store does not answer yet."""
    process = await asyncio.to_thread(JudgeProcess, settings)
    try:
        await process.store.start_judging()
    except BaseException:
        await process.store.stop()
        raise
    return process


async def _run(settings: Settings, *, has_listener: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        operator = stack.enter_context(listeners.operator_socket(settings)) if has_listener else None
        process = await once_there(partial(_judge_process, settings), settings, operator)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if operator is not None:
            app = operator_app(process.readiness, process.metrics_page)
            await stack.enter_async_context(listeners.answering(app, operator, settings))
        await process.run(stop, lambda: print("renzheng judges", flush=True) if not settings.log_json else None)
