"""A request before it is submitted: anything may be typed, nothing is lost, only its author sees it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from flows.approval.employee import FIELDS
from flows.approval.people import Caller, role_in
from flows.approval.refusals import FormProblems, NoLongerOpen, NotFound
from flows.approval.states import move
from flows.model import ActivationContact, OnboardingRequest, RequestState
from flows.sentence import say
from flows.words import PRAGUE

EDITABLE = frozenset({RequestState.DRAFT, RequestState.RETURNED})
LONGEST_ANSWER = 2000  # characters kept of one answer in a draft; the check of the form refuses much less


def new_draft(session: Session, by: Caller, organisation: UUID, key: UUID | None = None) -> OnboardingRequest:
    """An empty request of that organisation; the same key again (double click, repeat after a time-out) answers the same request.

    Raises NotFound when the person does not file for the organisation, or when the key is somebody else's.
    """
    role_in(session, by.person, organisation, datetime.now(PRAGUE).date())
    draft = OnboardingRequest(organisation_id=organisation, requester_id=by.person, content={"typed": {}}, submission=key or uuid4())
    try:
        with session.begin_nested():
            session.add(draft)
    except IntegrityError:
        if key and (before := begun_with(session, by, key)):
            return before
        raise NotFound from None
    return draft


def begun_with(session: Session, by: Caller, key: UUID) -> OnboardingRequest | None:
    """The person's request that was begun with this key, in whatever state it is now."""
    mine = select(OnboardingRequest.id).where(OnboardingRequest.submission == key, OnboardingRequest.requester_id == by.person)
    found = session.scalar(mine)
    return my_draft(session, by, found) if found else None


def my_draft(session: Session, by: Caller, draft: UUID, *, lock: bool = True) -> OnboardingRequest:
    """The request that the person began, in whatever state it is now. Raises NotFound.

    `lock`: until the end of the transaction; a page that only shows it needs none, and would wait for a save of the same draft.
    """
    mine = (
        select(OnboardingRequest)
        .where(OnboardingRequest.id == draft, OnboardingRequest.requester_id == by.person)
        .options(joinedload(OnboardingRequest.organisation, innerjoin=True))
    )
    found = session.scalars(mine.with_for_update(of=OnboardingRequest) if lock else mine).one_or_none()
    if found is None:
        raise NotFound
    role_in(session, by.person, found.organisation_id, datetime.now(PRAGUE).date())
    return found


def save_draft(
    session: Session, by: Caller, draft: UUID, typed: Mapping[str, str], private_address: str, organisation: UUID | None = None
) -> OnboardingRequest:
    """Keeps what was typed as it was typed; `organisation`: another of the author's was chosen. Raises NoLongerOpen once submitted."""
    request = my_draft(session, by, draft)
    if request.state not in EDITABLE:
        raise NoLongerOpen(say("This request was already submitted; it can no longer be changed here."))
    if organisation and organisation != request.organisation_id:
        if request.state is RequestState.RETURNED:
            raise FormProblems({"organisation": say("A returned request stays in its organisation. Take it back and file a new one.")})
        role_in(session, by.person, organisation, datetime.now(PRAGUE).date())
        request.organisation_id = organisation
    submitted = {name: value for name, value in request.content.items() if name != "typed"}
    request.content = submitted | {"typed": {name: value[:LONGEST_ANSWER] for name, value in typed.items()}}
    contact = session.get(ActivationContact, request.id) or ActivationContact(request_id=request.id)
    contact.address = private_address[:LONGEST_ANSWER]
    session.add(contact)
    request.changed_at = func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]
    session.flush()
    return request


def discard(session: Session, by: Caller, draft: UUID) -> None:
    """Gives a draft up; the database erases its private address. A returned request is taken back instead (withdraw)."""
    request = my_draft(session, by, draft)
    if request.state is not RequestState.DRAFT:
        raise NoLongerOpen(say("This request was already submitted; it can be taken back on its page."))
    move(session, request, RequestState.WITHDRAWN, by.actor)


def typed_of(request: OnboardingRequest) -> dict[str, str]:
    """What the form shows: what was typed, or the submitted answers of a returned request that nobody has touched yet."""
    if "typed" in request.content:
        return request.content["typed"]
    return {name: "" if request.content.get(name) is None else str(request.content[name]) for name in FIELDS}
