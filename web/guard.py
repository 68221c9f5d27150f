"""What stands before every page: the size of a request, its origin, the headers of an answer, and what counts as a second factor."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from secure import Secure
from secure.headers import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_REQUEST = 256 * 1024  # bytes; the longest form has some 20 kB
SECOND_FACTORS = frozenset({"otp", "hwk", "swk", "mfa"})  # RFC 8176


def has_second_factor(claims: Mapping[str, Any]) -> bool:
    """Whether the log-in was confirmed by more than the password: the identity server lists its methods in `amr` of the ID token."""
    methods: Any = claims.get("amr") or []
    return bool(SECOND_FACTORS & set(methods if isinstance(methods, list) else [methods]))  # pyright: ignore[reportUnknownArgumentType]


def headers(issuer: str, secure_transport: bool) -> Secure:
    """Security headers of every answer. Forms may lead to the identity server (log-out does), scripts and styles are our files only."""
    identity = urlsplit(issuer)
    policy = ContentSecurityPolicy().default_src("'none'").base_uri("'none'").frame_ancestors("'none'")
    for directive in (policy.script_src, policy.style_src, policy.img_src, policy.font_src, policy.connect_src, policy.manifest_src):
        directive("'self'")
    policy.form_action("'self'", f"{identity.scheme}://{identity.netloc}")
    return Secure(
        csp=policy,
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        hsts=StrictTransportSecurity().max_age(31536000) if secure_transport else None,
        permissions=PermissionsPolicy().geolocation().microphone().camera(),
        referrer=ReferrerPolicy().same_origin(),
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
    )


class Protection:
    """Headers on every answer; nothing of a person is kept by a cache unless the answer itself says so."""

    def __init__(self, app: ASGIApp, secure: Secure) -> None:
        self.app, self.fixed = app, secure.headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in self.fixed.items():
                    answer[name] = value
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        return await self.app(scope, receive, with_headers)


class SizeLimit:
    """A request larger than LARGEST_REQUEST is answered 413 before anything reads it, or cut off when it lied about its length."""

    def __init__(self, app: ASGIApp, refuse: ASGIApp) -> None:
        self.app, self.refuse = app, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdigit() or int(told) > LARGEST_REQUEST:
            return await self.refuse(scope, receive, send)
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            return {"type": "http.disconnect"} if read > LARGEST_REQUEST else message

        return await self.app(scope, counted, send)
