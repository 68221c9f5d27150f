"""Log-in at the identity server (OpenID Connect: code, PKCE, nonce), log-out from both sides, and whether a log-in still holds.

The asynchronous corner of the portal, because Authlib's client is asynchronous; what touches the database runs in a thread.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from authlib.integrations.starlette_client import OAuth, OAuthError
from fastapi import APIRouter
from joserfc.errors import JoseError
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.model import Person
from flows.model.session import open_session
from flows.sentence import say
from flows.settings import Oidc, Portal, load
from web.errors import error_page
from web.frame import Frame, Login, local_path, reader_of
from web.guard import has_second_factor
from web.logout_token import NotALogoutToken, read_logout_token, remember
from web.sessions import Sessions, Store, renew

router = APIRouter()
NO_ANSWER_GRACE = 3  # periods without an answer of the identity server before a log-in ends anyway


def identity_client() -> Any:
    """Authlib's client of our realm; its metadata and keys are read at the first use."""
    settings = load().need(Oidc)
    registry = OAuth()  # no cache: the state of a log-in stays in the person's own session
    return registry.register(  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
        "identity",
        server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "timeout": 10},
    )


def session_store() -> Store:
    portal = load().need(Portal)
    return Store(timedelta(minutes=portal.idle_minutes), timedelta(hours=portal.absolute_hours))


@router.get("/login")
async def get_login(request: Request, back: str = "/", again: bool = False) -> Response:
    if reader_of(request).login and not again:
        return RedirectResponse(local_path(back), status_code=303)
    request.session["back"] = local_path(back)
    address = load().need(Portal).address
    asked = {"ui_locales": Frame(request).language} | ({"prompt": "login"} if again else {})
    try:
        return await request.app.state.identity.authorize_redirect(request, f"{address}/login/callback", **asked)
    except httpx2.HTTPError:
        return _identity_away(request)


@router.get("/login/callback")
async def get_callback(request: Request) -> Response:
    try:
        token = await request.app.state.identity.authorize_access_token(request)
    except (OAuthError, JoseError):
        sentence = say("The log-in was not finished. Try it once more.")
        return error_page(request, 400, sentence, path="/login", label=say("Log in"))
    except httpx2.HTTPError:
        return _identity_away(request)
    found = await run_in_threadpool(_person_of, token["userinfo"])
    if found is None:
        return error_page(
            request, 403, say("Your account is good, but the portal does not know you. Ask your director or the region's IT.")
        )
    back = local_path(request.session.get("back", "/"))
    request.session.clear()
    request.session.update(session_content(*found, token["userinfo"], token))
    renew(request)
    return RedirectResponse(back, status_code=303)


@router.post("/logout")
async def post_logout(request: Request) -> Response:
    """Ends the session here and then at the identity server, which tells the other programs."""
    kept: dict[str, Any] = request.session.get("token") or {}
    hint = kept.get("id")
    request.session.clear()
    here = f"{load().need(Portal).address}/logout"
    try:
        there = (
            await request.app.state.identity.create_logout_url(post_logout_redirect_uri=here, id_token_hint=hint) if hint else {"url": here}
        )
    except httpx2.HTTPError:
        there = {"url": here}
    return RedirectResponse(there["url"], status_code=303)


@router.get("/logout")
def get_logout(request: Request) -> Response:
    return Frame(request).show("pages/logged_out.html")


@router.post("/logout/backchannel")
async def post_backchannel(request: Request) -> Response:
    """OpenID Connect Back-Channel Logout 1.0: 200 = ended, or none was there; 400 = not a token for us."""
    async with request.form(max_files=0, max_fields=5) as form:
        typed = str(form.get("logout_token", ""))
    settings = load().need(Oidc)
    try:
        claims = await read_logout_token(typed, request.app.state.identity, settings.issuer, settings.client_id)
    except (NotALogoutToken, JoseError):
        return Response(status_code=400)
    if not await run_in_threadpool(remember, str(claims["jti"])):
        return Response(status_code=400)
    await run_in_threadpool(request.app.state.sessions.remove_of, claims.get("sub"), claims.get("sid"))
    return Response(status_code=200)


def session_content(person: UUID, name: str, claims: Mapping[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
    """What a session remembers of a log-in."""
    return {
        "login": {
            "person": str(person),
            "name": name,
            "roles": sorted(str(role) for role in claims.get("roles", [])),
            "second_factor": has_second_factor(claims),
            "subject": claims["sub"],
            "provider_session": claims.get("sid"),
            "checked_at": int(time.time()),
        },
        "token": {"refresh": token.get("refresh_token"), "id": token.get("id_token")},
    }


class LoginKeeper:
    """Tells every request who is logged in. Every `recheck_minutes` the identity server is asked: roles are read anew, a no logs out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.portal = app, load().need(Portal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (session := scope.get("session")):
            request = Request(scope)
            if "login" in session and time.time() - session["login"]["checked_at"] > self.portal.recheck_minutes * 60:
                await self._recheck(request, session)
            if login := session.get("login"):
                reader_of(request).login = Login(UUID(login["person"]), login["name"], frozenset(login["roles"]), login["second_factor"])
        await self.app(scope, receive, send)

    async def _recheck(self, request: Request, session: dict[str, Any]) -> None:
        login = session["login"]
        try:
            claims, token = await _refreshed(request.app.state.identity, session["token"]["refresh"])
        except (OAuthError, JoseError, KeyError):
            return session.clear()
        except httpx2.HTTPError:  # it is down, which says nothing about the person; not for ever, though
            if time.time() - login["checked_at"] > NO_ANSWER_GRACE * self.portal.recheck_minutes * 60:
                session.clear()
            return None
        if claims["sub"] != login["subject"]:
            return session.clear()
        login |= {"roles": sorted(claims.get("roles", [])), "checked_at": int(time.time())}
        session["token"] |= {"refresh": token.get("refresh_token") or session["token"]["refresh"], "id": token["id_token"]}
        return None


async def _refreshed(identity: Any, refresh_token: str | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not refresh_token:
        raise KeyError("refresh_token")
    token = await identity.fetch_access_token(grant_type="refresh_token", refresh_token=refresh_token)
    return await identity.parse_id_token(token, nonce=None), token


def _person_of(claims: Mapping[str, Any]) -> tuple[UUID, str] | None:
    """The person behind issuer and subject, and the name as letters write it."""
    with open_session() as session:
        person = session.scalar(select(func.person_of(claims["iss"], claims["sub"])))
    if person is None:
        return None
    with open_session(person) as session:
        return person, session.get_one(Person, person).name


def _identity_away(request: Request) -> Response:
    return error_page(
        request, 503, say("The log-in server does not answer now. Try again in a minute."), path="/login", label=say("Try again")
    )


__all__ = ["LoginKeeper", "Sessions", "identity_client", "router", "session_content", "session_store"]
