"""The portal as one ASGI application. What is outermost comes last in `create_app`."""

from asgi_cross_origin_protection import CrossOriginProtection
from fastapi import FastAPI
from starlette.types import ASGIApp

from flows import logs
from flows.settings import Oidc, Portal, load
from web import errors, login
from web.guard import Protection, SizeLimit, headers
from web.pages import ROUTERS
from web.static_files import ForEver


def serve() -> ASGIApp:
    """What granian starts in each of its processes."""
    logs.configure()
    return create_app()


def create_app() -> ASGIApp:
    settings = load()
    app = FastAPI(title="Nástup", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.identity, app.state.sessions = login.identity_client(), login.session_store()
    for router in (*ROUTERS, login.router):
        app.include_router(router)
    app.mount("/static", ForEver())
    errors.install(app)
    app.add_middleware(login.LoginKeeper)
    app.add_middleware(login.Sessions, store=app.state.sessions, away=errors.database_away)
    app.add_middleware(CrossOriginProtection, deny_app=errors.refuse_origin, exempt_paths=["/logout/backchannel"])
    app.add_middleware(SizeLimit, refuse=errors.refuse_size)
    # around everything, the answer to a failure included
    return Protection(app, headers(settings.need(Oidc).issuer, settings.need(Portal).address.startswith("https:")))
