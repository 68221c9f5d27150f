"""Every letter about a request leads its reader to a page that the reader may read; those about a stage or a day: test_robot."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from flows import postbox
from flows.approval import reminding, working_days
from flows.approval.people import Regional
from flows.model import Letter
from flows.model.session import transaction
from flows.settings import load
from flows.words import PRAGUE
from tests.approvals import away, route, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.web.conftest import LogIn
from tests.web.test_deciding import decide
from tests.web.test_filing import file, rows

DONE = ("approve", "running", "done")
# kind, to whom the product writes it, the verdict before it, and where the work stands then
LETTERS = [
    ("refused", "director", "refuse"),
    ("returned", "director", "return"),
    ("done", "director", *DONE),
    ("needs_attention", "it", "approve", "running", "needs_attention"),
    ("needs_attention", "approver", "approve", "running", "needs_attention"),
    ("second_factor_added", "security", *DONE),
    ("activation_used", "director", *DONE),
    ("activation_expired", "director", *DONE),
    ("activation_bounced", "director", *DONE),
]
SAID = {"refuse": {"reason": "Chybí smlouva."}, "return": {"field_1": "quota_gb", "comment_1": "Opravdu?"}, "approve": {}}
MAIL = {"DATABASE": "x", "VERIFIER_SECRET": "x", "PROOF_SECRET": "x", "SENDER": "nastup@kraj.example"}


@pytest.fixture
def number(cast: Cast, log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reference number of a request that waits. Letters can be written."""
    return file_to_write(cast, log_in, monkeypatch)


def file_to_write(cast: Cast, log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in MAIL.items():
        monkeypatch.setenv(f"NASTUP_MAIL__{name}", value)
    load.cache_clear()
    return file(log_in(cast.director)).path.split("/")[2]


def link_of(kind: str, reader: str, cast: Cast, database: Database) -> str:
    """The path to which text and markup of that letter lead."""
    (request,) = rows(database, "onboarding_request")
    with database.used_as("nastup_worker"), transaction() as session:
        letter = Letter(kind=kind, request_id=request["id"], person_id=getattr(cast, reader).person, occasion="test")
        session.add(letter)
        session.flush()
        return link_in(session, letter)


def link_in(session: Session, letter: Letter) -> str:
    post = postbox.written(session, letter)
    links = {*re.findall(r"https://[^\s\"<>]+", post.text), *re.findall(r'href="([^"]+)"', post.html)}
    (link,) = links
    return urlsplit(link).path


def test_every_kind_of_letter_is_followed_here() -> None:
    assert {kind for kind, *_ in LETTERS} == set(postbox.KINDS)


@pytest.mark.parametrize("case", LETTERS, ids=lambda case: f"{case[0]} to {case[1]}")
def test_the_link_of_a_letter_opens_a_page_for_its_reader(
    case: tuple[str, ...], cast: Cast, log_in: LogIn, database: Database, number: str
) -> None:
    kind, reader, *course = case
    if course:
        verdict, *states = course
        decide(log_in(cast.approver), number, decision=verdict, **SAID[verdict])
        with database.superuser() as db:
            for state in states:
                db.execute("UPDATE onboarding_request SET state = %s, changed_at = now()", (state,))
    path = link_of(kind, reader, cast, database)
    page = log_in(getattr(cast, reader)).get(path)
    assert page.path == path
    assert number in page.text


def digest_of(reader: str, cast: Cast, database: Database) -> str:
    """The path to which the letter of the next working morning leads this reader, who gets one."""
    day = datetime.now(PRAGUE) + timedelta(days=1)
    while not working_days.is_working(day.date()):
        day += timedelta(days=1)
    with database.used_as("nastup_worker"), transaction() as session:
        reminding.write_digests(session, day.replace(hour=8))
        mine = select(Letter).where(Letter.kind == "digest", Letter.person_id == getattr(cast, reader).person)
        return link_in(session, session.scalars(mine).one())


def test_the_digest_of_a_dpo_who_is_asked_for_an_opinion_leads_to_what_waits(
    cast: Cast, log_in: LogIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (f'group = "{group}"\nstep = 1\nworking_days = 3\n{more}' for group, more in (("region-it", ""), ("dpo", "opinion = true")))
    use_policy(database, text=route(*asked))
    number = file_to_write(cast, log_in, monkeypatch)
    path = digest_of("dpo", cast, database)
    assert f"/queue/{number}" in log_in(cast.dpo).get(path).links


def test_the_digest_of_a_deputy_leads_to_what_waits_for_the_absent(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    away(database, cast.approver, Regional.REGION_IT, cast.it, days=15)
    path = digest_of("it", cast, database)
    assert f"/queue/{number}" in log_in(cast.it).get(path).links
