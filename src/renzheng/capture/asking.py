"""What a new attempt asks: a new challenge, or once more the one of an attempt that did not count."""

from __future__ import annotations

from renzheng.capture.sessions import Sessions
from renzheng.verification import challenge
from renzheng.verification.challenge import Entropy
from renzheng.verification.session import Session


async def steps_of_next_attempt(
    session: Session, sessions: Sessions, entropy: Entropy, colours: int
) -> tuple[str, ...]:
    """The actions of a new attempt, and where the policy asks for them so many colours, which are always new."""
    actions = await _asked_already(session, sessions)
    if actions is None:
        actions = challenge.draw(entropy, *session.policy.next_challenge(session.challenges_shown, session.eased))
    return actions + challenge.draw_light(entropy, colours) if session.policy.light else actions


async def _asked_already(session: Session, sessions: Sessions) -> tuple[str, ...] | None:
    """The last attempt's actions where it did not count: given back, it is not a further chance for a recording.

    None where there is none, or where somebody asked since to be spared one of them.
    """
    number = session.attempt  # after a judged attempt that of the next, of which nothing is stored yet
    last = await sessions.attempt(session.id, number) or await sessions.attempt(session.id, number - 1)
    if last is None or last.counts:
        return None
    actions = tuple(action for action in last.actions if not challenge.is_light(action))
    _, kinds = session.policy.next_challenge(session.challenges_shown, session.eased)
    return actions if actions and set(actions) <= set(kinds) else None
