"""Every letter about a request leads its reader to a page that the reader may read; those about a stage or a day: test_robot."""

import re
from urllib.parse import urlsplit

import pytest

from flows import postbox
from flows.model import Letter
from flows.model.session import transaction
from flows.settings import load
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
