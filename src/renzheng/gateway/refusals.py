"""Handles refusals: a sentence for every one, and what is kept and logged of it.

What is kept holds no value that a caller sent: no key, no name, no number of a person. It is made in constant time,
except for the explanation of a wrong signature, which needs a known SecretId; see `failures` for its rate limit.
"""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.gateway import errors
from renzheng.gateway.advice import why
from renzheng.gateway.context import Request
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import ApiError
from renzheng.gateway.explain import explain
from renzheng.gateway.explanation import mask_id
from renzheng.gateway.failures import RecentRefusals, RefusalSentences, RefusedRequest

# A larger body is explained by its hash alone: it cannot be serialised again.
_EXPLAINED_BYTES = 16 * 1024


class Refusals:
    """Keeps each refusal for `renzheng explain --recent`, and explains it to a local caller if that is set."""

    def __init__(self, settings: GatewaySettings, failures: RecentRefusals | None, services: Sequence[str]) -> None:
        self._settings = settings
        self._services = services
        self._failures = failures

    def note(self, request: Request, error: ApiError) -> str:
        """Keep one refusal. Returns what is added to the caller's message, usually nothing."""
        tells = self._settings.explain_in_reply and request.is_local
        if self._failures is None and not tells:
            return ""
        key = getattr(request, "key", None)
        if type(error) is errors.SignatureFailureError and key is not None:
            return self._note_signature(request, tells)
        en, zh = why(request, error)
        if self._failures is not None:
            failure = self._failure(request, error.code, RefusalSentences(en, zh))
            if isinstance(error, errors.SecretIdNotFoundError) and error.cause == "unknown":
                self._failures.look_for_key(failure, request.secret_id)
            else:
                self._failures.add(failure)
        return _sentence(request, error, en, zh) if tells else ""

    def _failure(self, request: Request, code: str, sentences: RefusalSentences | None) -> RefusedRequest:
        key = getattr(request, "key", None)
        action = getattr(request, "action", None)
        return RefusedRequest(
            at=request.now,
            request_id=request.request_id,
            account_id=key.account_id if key else 0,
            secret_id=mask_id(key.secret_id) if key else "",
            code=code,
            action=action.manifest.name if action else "",
            sentences=sentences,
        )

    def _note_signature(self, request: Request, tells: bool) -> str:
        key, captured = request.key, request.captured(_EXPLAINED_BYTES)
        unsigned = key.unsigned_payload or self._settings.unsigned_payload == "always"
        unsigned = unsigned or (self._settings.unsigned_payload == "loopback" and request.is_local)
        hosts = self._settings.hosts
        if self._failures is not None:
            failure = self._failure(request, errors.SignatureFailureError.code, None)
            self._failures.explain(failure, captured, key.secret_id, key.secret_key, unsigned, self._services, hosts)
        if not tells:
            return ""
        found = explain(
            captured,
            {key.secret_id: key.secret_key},
            services=self._services,
            unsigned=unsigned,
            masked=True,
            hosts=hosts,
            endpoint_service=True,
        )
        return _sentence(request, errors.SignatureFailureError(), found.sentence("en-US"), found.sentence("zh-CN"))


def _sentence(request: Request, error: ApiError, en: str, zh: str) -> str:
    """Return the sentence in the language of the reply; empty if the reply says it already."""
    message = error.message(request.language)
    sentence = zh if message == error.message("zh-CN") and (request.language == "zh-CN" or not error.en) else en
    if sentence in message:
        return ""
    return sentence if sentence is zh else f" {sentence}"
