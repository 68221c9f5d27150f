"""What handlers ask for: the session of the asking person, the caller, the frame, the fields of a form."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from pydantic import BeforeValidator
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile
from starlette.requests import Request

from flows.approval import queue
from flows.approval.people import Caller, authority
from flows.approval.refusals import NotFound, id_of
from flows.approval.sight import held_roles
from flows.model import OrganisationRole
from flows.model.session import open_session
from flows.words import PRAGUE
from web.frame import Frame, Login, Place, reader_of, wants_fragment

LONGEST_FIELD = 20_000  # characters; longer is no form of ours, and a text that is too long is shown again whole


class LoginNeeded(Exception):
    """Nobody is logged in, or not any more."""


class FormUnreadable(Exception):
    """Not the fields of a form: a file, a repeated field, bytes that are no text."""


def current_login(request: Request) -> Login:
    if login := reader_of(request).login:
        return login
    raise LoginNeeded


def database(login: Annotated[Login, Depends(current_login)]) -> Iterator[Session]:
    """Sees what the person may see (row-level security). Whoever writes says so: `with transaction(session):`."""
    with open_session(login.person, login.roles) as session:
        yield session


# scope="function": closed before the answer goes out, so a failure is still an answer and no connection is held by a slow reader
Db = Annotated[Session, Depends(database, scope="function")]


def current_caller(request: Request, login: Annotated[Login, Depends(current_login)], session: Db) -> Caller:
    """The person with the regional roles that count today; notes the places for the page's menu."""
    today = datetime.now(PRAGUE).date()
    reader = reader_of(request)
    roles, standing = authority(session, login.person, login.roles, today)
    held = sorted(held_roles(session, login.person), key=lambda each: ("director", "deputy", "clerk").index(each.role))
    seen: dict[UUID, Place] = {}
    for each in held:
        seen.setdefault(each.organisation_id, _place(each))
    reader.places = sorted(seen.values(), key=lambda place: place.name)
    reader.caller = Caller(login.person, login.name, roles, login.second_factor, standing)
    return reader.caller


def _place(role: OrganisationRole) -> Place:
    organisation = role.organisation
    return Place(organisation.id, organisation.name, organisation.slug, organisation.domain, role.role)


CurrentCaller = Annotated[Caller, Depends(current_caller)]


def frame_for_caller(request: Request, by: CurrentCaller, session: Db) -> Frame:
    if by.decides and not wants_fragment(request):
        reader_of(request).counts["queue"] = queue.waiting(session, by)
    return Frame(request)


def frame_for_anybody(request: Request) -> Frame:
    return Frame(request)


PageFrame = Annotated[Frame, Depends(frame_for_caller)]
PublicFrame = Annotated[Frame, Depends(frame_for_anybody)]


def places(request: Request, _caller: CurrentCaller) -> list[Place]:
    return reader_of(request).places


Places = Annotated[list[Place], Depends(places)]


async def typed_fields(request: Request) -> dict[str, str]:
    """What was typed, field by field. Lone surrogates and NUL cannot be kept by PostgreSQL: they become visible replacement characters."""
    async with request.form(max_files=0, max_fields=100, max_part_size=64 * 1024) as form:
        fields: dict[str, str] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) or name in fields:
                raise FormUnreadable
            fields[name] = value[:LONGEST_FIELD].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    return fields


Typed = Annotated[dict[str, str], Depends(typed_fields)]


def number_in_path(number: Annotated[str, Path()]) -> str:
    """P-2026-0042; anything else is not there."""
    letter, *digits = number.split("-")
    if len(number) > 20 or letter not in ("P", "O") or len(digits) != 2 or not all(part.isascii() and part.isdigit() for part in digits):
        raise NotFound
    return number


def slug_in_path(slug: Annotated[str, Path()]) -> str:
    """The short name of an organisation; what cannot be one is not there."""
    if not slug.isprintable() or len(slug) > 100:
        raise NotFound
    return slug


Number = Annotated[str, Depends(number_in_path)]
Slug = Annotated[str, Depends(slug_in_path)]
RowId = Annotated[UUID, BeforeValidator(id_of)]  # in a path; anything else is not there
