"""`renzheng session` and `renzheng rejudge`: why a verification ended as it did, and whether its verdict stands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from renzheng.adapters import EngineExaminer
from renzheng.app import engine_limits
from renzheng.capture.judging import examine
from renzheng.cli.local import JsonOption, print_json, print_table, when, with_store
from renzheng.engine.workers import EngineWorkers
from renzheng.settings import load_settings
from renzheng.store.accounts import Unknown
from renzheng.store.open import Store
from renzheng.verification.identity import mask_id_card, mask_name
from renzheng.verification.records import Gone, Outcome
from renzheng.verification.session import Session

app = typer.Typer(no_args_is_help=True, help="One verification: what was measured, and why it ended as it did.")

TokenArgument = Annotated[str, typer.Argument(help="The FaceIdToken.")]


@app.command()
def show(token: TokenArgument, as_json: JsonOption = False) -> None:
    """Show a verification's state, verdict and measurements; names and numbers masked."""

    async def work(store: Store) -> dict[str, Any]:
        session, outcome = await _find(store, token)
        return _plain(session, outcome, await store.sessions.measurement(session.id))

    shown = with_store(work)
    if as_json:
        print_json(shown)
        return
    print_table(["", ""], [[name, _text(value)] for name, value in shown.items() if name != "measurement"])
    if shown["measurement"]:
        print("measured, shortened to what a person reads; --json has every digit:")
    for name, value in ((shown["measurement"] or {}).get("presentation") or {}).items():
        print(f"  {name}: {_text(value)}")


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """`changed`: what was measured otherwise than it was recorded, by name; what is measured only now is not in it."""

    before: str
    now: str
    changed: list[str]

    @property
    def same_numbers(self) -> bool:
        return not self.changed

    @property
    def stands(self) -> bool:
        return self.before == self.now


def rejudge(token: TokenArgument, as_json: JsonOption = False) -> None:
    """Judge a verification's stored frames again and say whether its verdict stands: exit code 0 if so, else 1."""

    async def work(store: Store) -> Rejudgement:
        session, outcome = await _find(store, token)
        if outcome.verdict is None:
            raise Unknown("this verification has no verdict yet")
        recorded = await store.sessions.measurement(session.id)
        if recorded is None:
            raise Unknown("its evidence is no longer kept")
        engine = EngineWorkers(engine_limits(load_settings()))
        await engine.start()
        try:
            attempt = await store.sessions.attempt(session.id, outcome.verdict.attempt)
            judged = await examine(session, attempt, store.sessions, store.identities, EngineExaminer(engine))
        finally:
            await engine.stop()
        changed = changed_numbers(json.loads(recorded), json.loads(judged.record))
        return Rejudgement(outcome.verdict.result, judged.verdict.result.code, changed)

    found = with_store(work)
    if as_json:
        print_json({**asdict(found), "same_numbers": found.same_numbers, "stands": found.stands})
    else:
        verb = "stands" if found.stands else f"does not stand: it would be {found.now} now"
        numbers = "the same numbers"
        if found.changed:
            numbers = f"other numbers (another machine, pack or photo): {', '.join(found.changed)}"
        print(f"Result {found.before} {verb}; {numbers}")
    raise typer.Exit(0 if found.stands else 1)


def changed_numbers(recorded: Any, now: Any, name: str = "") -> list[str]:
    """Names of recorded values that are others now; a part that was not recorded, as by an older version, is none."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        parts = ((key, f"{name}.{key}" if name else key) for key in recorded)
        return [found for key, path in parts for found in changed_numbers(recorded[key], now.get(key), path)]
    return [] if recorded == now else [name]


async def _find(store: Store, token: str) -> tuple[Session, Outcome]:
    session = await store.sessions.find(token)
    outcome = await store.sessions.result(session.account_id, token) if session else None
    if session is None or outcome is None or isinstance(outcome, Gone):
        raise Unknown("there is no such verification, or it is erased")
    return session, outcome


def _plain(session: Session, outcome: Outcome, measurement: str | None) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "account": session.account_id,
        "state": str(session.state),
        "created": when(session.created_at),
        "compare_lib": str(session.details.compare_lib),
        "id_card": mask_id_card(session.details.id_card),
        "name": mask_name(session.details.name),
        "attempts": session.attempt,
        "counted": session.counted,
        "ending": str(session.ending) if session.ending else None,
        "result": verdict.result if verdict else None,
        "description": verdict.description if verdict else None,
        "similarity": verdict.similarity if verdict else None,
        "billed": verdict.billed if verdict else None,
        "liveness_tags": list(verdict.tags) if verdict else [],
        "measurement": json.loads(measurement) if measurement else None,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_shortened(value), ensure_ascii=False)


def _shortened(value: Any) -> Any:
    """Numbers with four digits behind the point, as more says nothing to a reader; unix times with two."""
    if isinstance(value, dict):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    return round(value, 2 if value > 1e6 else 4) if isinstance(value, float) else value
