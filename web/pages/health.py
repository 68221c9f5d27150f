"""Probes for whoever supervises the portal."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from flows.model.session import open_session

router = APIRouter()


@router.get("/healthz")
def get_health() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz")
def get_readiness() -> PlainTextResponse:
    """The database answers with our tables: people can be served."""
    try:
        with open_session() as session:
            session.execute(text("SELECT 1 FROM web_session LIMIT 1"))
    except SQLAlchemyError:
        return PlainTextResponse("the database does not answer", 503)
    return PlainTextResponse("ok")
