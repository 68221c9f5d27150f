"""Log-in sessions on the server: a random value in the cookie, its hash and the encrypted content in the table `web_session`.

Written here in a hundred lines because the general middlewares write a row and a cookie on every answer, take over an identifier that the
client invented, and would write back a session that a back-channel log-out removed while a request was on its way. Here a row is born with
a new identifier only, and a row that is gone stays gone.
"""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.model import WebSession
from flows.model.session import transaction

COOKIE = "__Host-nastup"
TOUCH_EVERY = timedelta(minutes=1)
ANONYMOUS_LIFE = timedelta(minutes=15)  # a log-in that was begun
NO_SESSION = ("/static/", "/healthz", "/readyz", "/logout/backchannel")

Content = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    content: Content
    created_at: datetime
    expires_at: datetime
    now: datetime


class Store:
    """The table. `idle` and `absolute` are the two ends of a log-in; values of the cookie never reach a log or the table."""

    def __init__(self, idle: timedelta, absolute: timedelta) -> None:
        self.idle, self.absolute = idle, absolute

    def read(self, value: str) -> Stored | None:
        wanted = select(WebSession.data, WebSession.created_at, WebSession.expires_at, func.now())
        with transaction() as session:
            row = session.execute(wanted.where(WebSession.id == _hash(value), WebSession.expires_at > func.now())).one_or_none()
        content = _open(value, row[0]) if row else None
        return Stored(content, row[1], row[2], row[3]) if row and content is not None else None

    def create(self, content: Content) -> str:
        """A new session; answers the value of its cookie. Sweeps what has expired."""
        value = secrets.token_urlsafe(32)
        life = self.idle if "login" in content else ANONYMOUS_LIFE
        with transaction() as session:
            session.execute(delete(WebSession).where(WebSession.expires_at < func.now()))
            row = {"id": _hash(value), "data": _seal(value, content), "expires_at": func.now() + life}
            session.execute(insert(WebSession).values(row | _columns(content)))
        return value

    def write(self, value: str, content: Content) -> bool:
        """False when the session was ended meanwhile: nothing is written back."""
        values = {"data": _seal(value, content)} | _columns(content)
        with transaction() as session:
            changed = session.execute(update(WebSession).where(WebSession.id == _hash(value)).values(values).returning(WebSession.id))
            return changed.one_or_none() is not None

    def touch(self, value: str) -> None:
        until = func.least(func.now() + self.idle, WebSession.created_at + self.absolute)
        with transaction() as session:
            session.execute(update(WebSession).where(WebSession.id == _hash(value)).values(expires_at=until))

    def remove(self, value: str) -> None:
        with transaction() as session:
            session.execute(delete(WebSession).where(WebSession.id == _hash(value)))

    def remove_of(self, subject: str | None, provider_session: str | None) -> int:
        """Ends the sessions of a log-out token: of one provider session, or all of a subject. Answers how many."""
        which = [WebSession.provider_session == provider_session] if provider_session else [WebSession.subject == subject]
        with transaction() as session:
            return len(session.execute(delete(WebSession).where(or_(*which)).returning(WebSession.id)).all())


class Sessions:
    """ASGI middleware: `scope["session"]` is a plain dict; `renew(request)` gives it a new identifier (at every log-in).

    `away` answers when the table cannot be reached: that happens outside the program's own handlers of errors.
    """

    def __init__(self, app: ASGIApp, store: Store, away: ASGIApp) -> None:
        self.app, self.store, self.away = app, store, away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(NO_SESSION):
            return await self.app(scope, receive, send)
        value = HTTPConnection(scope).cookies.get(COOKIE)
        try:
            stored = await run_in_threadpool(self.store.read, value) if value else None
        except OperationalError:
            return await self.away(scope, receive, send)
        before = json.dumps(stored.content if stored else {})
        scope["session"] = json.loads(before)
        lost = False

        async def keep(message: Message) -> None:
            nonlocal lost
            if message["type"] == "http.response.start":
                try:
                    await self._keep(scope, message, value, stored, before)
                except OperationalError:
                    lost = True
            if not lost:  # an answer without its session would be a half one: its reader is told so below
                await send(message)

        await self.app(scope, receive, keep)
        return await self.away(scope, receive, send) if lost else None

    async def _keep(self, scope: Scope, message: Message, value: str | None, stored: Stored | None, before: str) -> None:
        content: Content = scope["session"]
        changed = json.dumps(content) != before
        if stored and value and (not content or scope.get("renew_session")):
            await run_in_threadpool(self.store.remove, value)
        if not content:
            return _set_cookie(message, "") if value else None
        if not stored or scope.get("renew_session"):
            return _set_cookie(message, await run_in_threadpool(self.store.create, content))
        if changed and not await run_in_threadpool(self.store.write, str(value), content):
            return _set_cookie(message, "")
        if not _is_poll(scope) and stored.expires_at - stored.now < self.store.idle - TOUCH_EVERY:
            await run_in_threadpool(self.store.touch, str(value))
        return None


def renew(connection: HTTPConnection) -> None:
    """The content moves to a new identifier with this answer; the old one is dead."""
    connection.scope["renew_session"] = True


def _is_poll(scope: Scope) -> bool:
    """A page that asks by itself is not a person at the keyboard, so it does not keep the session alive."""
    return scope["method"] == "GET" and any(name == b"hx-request" for name, _ in scope["headers"])


def _set_cookie(message: Message, value: str) -> None:
    end = "" if value else "; Max-Age=0"
    MutableHeaders(scope=message).append("set-cookie", f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{end}")


def _columns(content: Content) -> dict[str, Any]:
    login: Content = content.get("login") or {}
    person = UUID(login["person"]) if login else None
    return {"person_id": person, "subject": login.get("subject"), "provider_session": login.get("provider_session")}


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _key(value: str) -> bytes:
    return hashlib.sha256(b"content of a web session\0" + value.encode()).digest()  # the value has 256 random bits: no stretching needed


def _seal(value: str, content: Content) -> bytes:
    """Only the holder of the cookie can open it: a copy of the table holds no refresh token."""
    nonce = os.urandom(12)
    return nonce + AESGCM(_key(value)).encrypt(nonce, json.dumps(content).encode(), None)


def _open(value: str, sealed: bytes) -> Content | None:
    """None when it was sealed for another cookie: somebody wrote into the table."""
    try:
        return json.loads(AESGCM(_key(value)).decrypt(sealed[:12], sealed[12:], None))
    except InvalidTag:
        return None
