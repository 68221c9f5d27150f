"""The log-out token of OpenID Connect Back-Channel Logout 1.0, section 2.4, and the checks of section 2.6."""

from collections.abc import Mapping
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy.dialects.postgresql import insert

from flows.model import LogoutToken
from flows.model.session import transaction

EVENT = "http://schemas.openid.net/event/backchannel-logout"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # never none, never a shared secret


class NotALogoutToken(Exception):
    """Not signed by our identity server, not for us, or not about a log-out."""


async def read_logout_token(token: str, identity: Any, issuer: str, client_id: str) -> Mapping[str, Any]:
    """The claims of a good token. Raises NotALogoutToken or JoseError."""
    try:
        try:
            decoded = jwt.decode(token, KeySet.import_key_set(await identity.fetch_jwk_set()), algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the server has a new key
            decoded = jwt.decode(token, KeySet.import_key_set(await identity.fetch_jwk_set(force=True)), algorithms=ALGORITHMS)
    except (ValueError, httpx2.HTTPError) as problem:
        raise NotALogoutToken(type(problem).__name__) from problem
    claims = decoded.claims
    required = JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        jti={"essential": True},
    )
    required.validate(claims)
    events = claims.get("events")
    if not isinstance(events, dict) or EVENT not in events or "nonce" in claims or not (claims.get("sub") or claims.get("sid")):
        raise NotALogoutToken("claims")
    return claims


def remember(jti: str) -> bool:
    """True the first time this token is seen; a repeated one is a replay."""
    with transaction() as session:
        fresh = insert(LogoutToken).values(jti=jti).on_conflict_do_nothing().returning(LogoutToken.jti)
        return session.execute(fresh).one_or_none() is not None


__all__ = ["JoseError", "NotALogoutToken", "read_logout_token", "remember"]
