"""What Keycloak's answers mean to us, and one token for all threads."""

import json
import threading
from collections.abc import Callable
from typing import Any, cast

from keycloak import KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from flows.connectors.base import Conflict, ConnectorError, Gone, Misconfigured, Refused, Unavailable
from flows.sentence import say
from flows.settings import Keycloak

CONNECT_SECONDS, READ_SECONDS = 2, 10


class SharedToken(KeycloakOpenIDConnection):
    """The worker's service account. A token is fetched once for all threads, and once more when the server says 401."""

    def __init__(self, settings: Keycloak) -> None:
        self._fetching = threading.Lock()
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            server_url=settings.address.rstrip("/") + "/",
            realm_name=settings.realm,
            client_id=settings.client_id,
            client_secret_key=settings.client_secret.get_secret_value(),
            timeout=cast(int, (CONNECT_SECONDS, READ_SECONDS)),  # requests takes the pair; the library's annotation does not know
            max_retries=0,  # the library would repeat a POST whose answer was lost
            pool_maxsize=32,
        )

    def refresh_token(self) -> None:
        known: Any = self  # the library's `token` is an untyped dict
        seen = known.token
        with self._fetching:
            if known.token is not seen:
                return  # another thread has just brought one
            try:
                self.get_token()
            except KeycloakError as error:
                code = error.response_code or 0
                if isinstance(error, KeycloakConnectionError) or code >= 500 or code == 429:
                    raise _unavailable(f"token: {code or 'no answer'}") from None
                raise Misconfigured(say("The identity server does not accept the worker's credential."), f"token: {code}") from None


def asked(what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The server's answer, or our error for it. The original is not chained: its text may hold personal data."""
    try:
        return call(*arguments, **options)
    except KeycloakError as error:
        raise _meaning(what, error) from None


def _meaning(what: str, error: KeycloakError) -> ConnectorError:
    code = error.response_code or 0
    detail = f"{what}: {code} {_code_of(error)}".strip()
    if isinstance(error, KeycloakConnectionError) or code == 0:
        return _unavailable(f"{what}: no answer")
    if code == 429 or code >= 500:
        return _unavailable(detail)
    if code in (401, 403):
        return Misconfigured(say("The identity server refuses the worker's account."), detail)
    if code == 404:
        realm = "Realm not found" in detail
        return (Misconfigured if realm else Gone)(say("The identity server does not know what was asked for."), detail)
    if code == 409 or "already linked to another organization" in detail:
        return Conflict(say("The name is taken in the identity server."), detail)
    return Refused(say("The identity server does not accept these values."), detail)


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(say("The identity server does not answer."), detail)


def _code_of(error: KeycloakError) -> str:
    """The server's own code and field; never `params`, they repeat what was sent."""
    try:
        body: Any = json.loads(error.response_body or b"")
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    answer = cast(dict[str, Any], body)
    return " ".join(str(answer[name]) for name in ("error", "field", "errorMessage") if answer.get(name))[:200]
