"""`renzheng rule`: business scenarios with a policy of their own, which merchants name by RuleId."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from renzheng.accounts.rules import Rule, Terms
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, when, with_store
from renzheng.settings import SettingsError, load_settings
from renzheng.store.open import Store
from renzheng.verification.challenge import ACTIONS

app = typer.Typer(no_args_is_help=True, help="Rules: scenarios with a policy of their own, named by RuleId.")

RuleId = Annotated[int, typer.Argument(help="The rule's number, which is its RuleId.")]
NoteOption = Annotated[str, typer.Option("--note", help="What its owner is to know, such as why it was rejected.")]


def _plain(rule: Rule) -> dict[str, Any]:
    return {
        "rule_id": rule.rule_id,
        "account_id": rule.account_id,
        "name": rule.name,
        "state": rule.state.value,
        "policy": asdict(rule.terms.policy),
        "evidence_days": rule.terms.evidence_days,
        "created_at": rule.created_at,
        "changed_at": rule.changed_at,
        "note": rule.note,
    }


def _print(rule: Rule, as_json: bool) -> None:
    if as_json:
        print_json(_plain(rule))
        return
    policy = rule.terms.policy
    days = rule.terms.evidence_days
    rows = [
        ["RuleId", rule.rule_id],
        ["State", rule.state.value],
        ["Note", rule.note],
        ["Changed", when(rule.changed_at)],
        ["Threshold", f"{policy.threshold:g}"],
        ["Challenge", f"{policy.challenge_length} of {', '.join(policy.challenge_kinds)}"],
        ["Light challenge", "yes" if policy.light else "no"],
        ["Attempts", f"{policy.attempts} a token, {policy.attempts_a_day or 'any number'} a day for one ID number"],
        ["Evidence", "as the server's setting says" if days is None else f"{days:g} days"],
    ]
    print_table(["", rule.name], rows)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for; the account has no other of this name.")],
    account: AccountOption = None,
    threshold: Annotated[float | None, typer.Option(help="Similarity that counts as one person, 60 to 100.")] = None,
    challenge_length: Annotated[int | None, typer.Option(help="Actions a challenge asks for.")] = None,
    challenge_kind: Annotated[
        list[str] | None, typer.Option(help=f"An action it may ask for: {', '.join(ACTIONS)}; a turn among them.")
    ] = None,
    attempts: Annotated[int | None, typer.Option(help="Attempts a token, 1 to 10.")] = None,
    attempts_a_day: Annotated[int | None, typer.Option(help="Attempts a day for one ID number; 0: no limit.")] = None,
    evidence_days: Annotated[float | None, typer.Option(help="Days that frames, photos and videos are kept.")] = None,
    light: Annotated[
        bool, typer.Option("--light", help="Have the page show the light challenge's colours too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a draft. What is left out is as the server's settings say now; later changes of those do not move it."""
    given = {
        "threshold": threshold,
        "challenge_length": challenge_length,
        "challenge_kinds": tuple(challenge_kind) if challenge_kind else None,
        "attempts": attempts,
        "attempts_a_day": attempts_a_day,
        "light": light or None,
    }
    try:
        chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        terms = Terms(replace(load_settings().policy, **chosen), evidence_days)
    except (ValueError, SettingsError) as fault:
        refuse(str(fault))

    async def work(store: Store) -> Rule:
        return await store.rules.create((await account_of(store, account)).id, name, terms, time.time())

    _print(with_store(work), as_json)


def _move(rule_id: int, move: str, account: str | None, as_json: bool, note: str = "") -> None:
    async def work(store: Store) -> Rule:
        return await store.rules.move((await account_of(store, account)).id, rule_id, move, time.time(), note)

    _print(with_store(work), as_json)


@app.command()
def submit(rule_id: RuleId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Hand a draft, or one that was rejected or disabled, in for review."""
    _move(rule_id, "submit", account, as_json)


@app.command()
def approve(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Let tokens name it; a running server does within a second."""
    _move(rule_id, "approve", account, as_json, note)


@app.command()
def reject(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Give it back to its owner."""
    _move(rule_id, "reject", account, as_json, note)


@app.command()
def disable(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Take it out of use. Tokens that were issued under it keep its policy."""
    _move(rule_id, "disable", account, as_json, note)


@app.command("list")
def list_(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """List an account's rules."""

    async def work(store: Store) -> list[Rule]:
        return await store.rules.of_account((await account_of(store, account)).id)

    rules = with_store(work)
    if as_json:
        print_json([_plain(rule) for rule in rules])
        return
    rows = [[rule.rule_id, rule.name, rule.state.value, when(rule.changed_at), rule.note] for rule in rules]
    print_table(["RuleId", "Name", "State", "Changed", "Note"], rows)


@app.command()
def show(rule_id: RuleId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Show one rule with its policy."""

    async def work(store: Store) -> Rule:
        return await store.rules.get((await account_of(store, account)).id, rule_id)

    _print(with_store(work), as_json)
