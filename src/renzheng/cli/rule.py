"""`renzheng rule`: business scenarios with a policy of their own, which merchants name by RuleId."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import typer

from renzheng.accounts.rules import Rule, RuleTerms
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, when, with_store
from renzheng.operations import rules
from renzheng.settings import SettingsError, load_settings
from renzheng.store.open import Store
from renzheng.verification.challenge import ACTIONS
from renzheng.verification.policy import MAX_LUCK

app = typer.Typer(no_args_is_help=True, help="Rules: scenarios with a policy of their own, named by RuleId.")

RuleId = Annotated[int, typer.Argument(help="The rule's number, which is its RuleId.")]
NoteOption = Annotated[str, typer.Option("--note", help="A note for the owner, such as why it was rejected.")]


def _plain(rule: Rule) -> dict[str, Any]:
    view = rules.view_of(rule)
    return msgspec.structs.asdict(view) | {"policy": msgspec.structs.asdict(view.policy)}


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
        ["Recording", f"is asked for what it shows in 1 token of {round(1 / policy.luck)}"],
        ["Step", "as the server's setting says" if policy.step_seconds is None else f"{policy.step_seconds:g} s"],
        ["Light challenge", "yes" if policy.light else "no"],
        ["Attempts", f"{policy.attempts} a token, {policy.attempts_a_day or 'any number'} a day for one ID number"],
        ["Evidence", "as the server's setting says" if days is None else f"{days:g} days"],
    ]
    print_table(["", rule.name], rows)
    if policy.luck > MAX_LUCK:
        typer.echo(
            "A recording of somebody is worth something here, because few challenges are possible. More actions "
            "(--challenge-length), more kinds of them or fewer attempts help.",
            err=True,
        )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its purpose; the name must be new in the account.")],
    account: AccountOption = None,
    threshold: Annotated[float | None, typer.Option(help="Similarity that counts as one person, 60 to 100.")] = None,
    challenge_length: Annotated[int | None, typer.Option(help="Number of actions in a challenge.")] = None,
    challenge_kind: Annotated[
        list[str] | None, typer.Option(help=f"An action it may ask for: {', '.join(ACTIONS)}; a turn among them.")
    ] = None,
    step_seconds: Annotated[float | None, typer.Option(help="Seconds for one action, 2 to 30.")] = None,
    attempts: Annotated[int | None, typer.Option(help="Attempts per token, 1 to 10.")] = None,
    attempts_a_day: Annotated[int | None, typer.Option(help="Attempts per day for one ID number; 0: no limit.")] = None,
    evidence_days: Annotated[float | None, typer.Option(help="Days that frames, photos and videos are kept.")] = None,
    light: Annotated[bool, typer.Option("--light", help="Add the light challenge.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a draft. Options that you leave out get the current settings; later changes of settings do not change it."""
    given = {
        "threshold": threshold,
        "challenge_length": challenge_length,
        "challenge_kinds": challenge_kind or None,
        "step_seconds": step_seconds,
        "attempts": attempts,
        "attempts_a_day": attempts_a_day,
        "light": light or None,
        "evidence_days": evidence_days,
    }
    try:
        terms = rules.changed_terms(RuleTerms(load_settings().policy), given)
    except (ValueError, SettingsError) as fault:
        refuse(str(fault))

    async def work(store: Store) -> Rule:
        return await store.rules.create((await account_of(store, account)).id, name, terms, time.time())

    _print(with_store(work), as_json)


def _move(rule_id: int, move: str, account: str | None, as_json: bool, note: str = "") -> None:
    async def work(store: Store) -> Rule:
        return await rules.move(store, (await account_of(store, account)).id, rule_id, move, time.time(), note)

    _print(with_store(work), as_json)


@app.command()
def submit(rule_id: RuleId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Submit a draft, or a rejected or disabled rule, for review."""
    _move(rule_id, "submit", account, as_json)


@app.command()
def approve(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Approve a rule, so that tokens can use it. A running server follows within a second."""
    _move(rule_id, "approve", account, as_json, note)


@app.command()
def reject(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Reject a rule and return it to its owner."""
    _move(rule_id, "reject", account, as_json, note)


@app.command()
def disable(rule_id: RuleId, account: AccountOption = None, note: NoteOption = "", as_json: JsonOption = False) -> None:
    """Disable a rule. Tokens that were issued with it keep its policy."""
    _move(rule_id, "disable", account, as_json, note)


@app.command("list")
def list_(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """List an account's rules."""

    async def work(store: Store) -> list[Rule]:
        return await store.rules.of_account((await account_of(store, account)).id)

    found = with_store(work)
    if as_json:
        print_json([_plain(rule) for rule in found])
        return
    rows = [[rule.rule_id, rule.name, rule.state.value, when(rule.changed_at), rule.note] for rule in found]
    print_table(["RuleId", "Name", "State", "Changed", "Note"], rows)


@app.command()
def show(rule_id: RuleId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Show one rule with its policy."""

    async def work(store: Store) -> Rule:
        return await store.rules.get((await account_of(store, account)).id, rule_id)

    _print(with_store(work), as_json)
