"""Chooses the actions of a new attempt: a new challenge, or again the challenge of an attempt that did not count."""

from __future__ import annotations

from renzheng.capture.sessions import Sessions
from renzheng.verification import challenge
from renzheng.verification.challenge import Entropy
from renzheng.verification.session import Session


async def steps_of_next_attempt(
    session: Session, sessions: Sessions, entropy: Entropy, colours: int
) -> tuple[str, ...]:
    """Choose the actions of a new attempt. If the policy asks for light, append `colours` newly drawn colours."""
    actions = await _asked_already(session, sessions)
    if actions is None:
        actions = challenge.draw(entropy, *session.policy.next_challenge(session.challenges_shown, session.eased))
    return actions + challenge.draw_light(entropy, colours) if session.policy.light else actions


async def _asked_already(session: Session, sessions: Sessions) -> tuple[str, ...] | None:
    """Return the last attempt's actions if it did not count. Asking them again gives a recording no second chance.

    None if there is no such attempt, or if the person has since asked to be spared one of its actions.
    """
    number = session.attempt  # after a judged attempt: the number of the next one, of which nothing is stored yet
    last = await sessions.attempt(session.id, number) or await sessions.attempt(session.id, number - 1)
    if last is None or last.counts:
        return None
    actions = tuple(action for action in last.actions if not challenge.is_light(action))
    _, kinds = session.policy.next_challenge(session.challenges_shown, session.eased)
    return actions if actions and set(actions) <= set(kinds) else None
