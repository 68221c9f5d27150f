"""A robot that opens every link changes nothing: neither a GET route as anybody, nor a link of a letter."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import select

from flows import postbox
from flows.approval import absences
from flows.approval.absences import Told
from flows.approval.drafts import new_draft
from flows.approval.people import Caller, Regional
from flows.model import Letter, OnboardingRequest, Person, Stage
from flows.model.session import open_session, transaction
from tests.approvals import PRIVILEGED, answer, away, file
from tests.cast import NAMES, Cast
from tests.database import Database
from tests.flows.test_dispatch import SETTINGS
from tests.web.client import Browser, routes_of
from tests.web.conftest import LogIn

KEPT_APART = {"web_session"}  # a page prolongs the session of its reader
NOT_OPENED = {"/login", "/login/callback"}  # the one way in; they write a session and ask Keycloak (test_login_servers.py)
PUBLIC = ("/accessibility", "/privacy", "/activated", "/logout", "/healthz", "/readyz")
LINK = re.compile(r'https?://[^\s<>"]+')

Rows = dict[str, tuple[int, str]]


def rows_of(database: Database) -> Rows:
    """By table: how many rows, and a digest of all that stands in them."""
    with database.superuser() as db:
        named = db.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'backup')").fetchall()
        found: Rows = {}
        for schema, table in sorted(named):
            if table not in KEPT_APART:
                whole = sql.SQL("SELECT count(*), coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM {} t")
                found[f"{schema}.{table}"] = db.execute(whole.format(sql.Identifier(schema, table))).fetchone() or (0, "")
    return found


@dataclass
class World:
    """One of everything that an address names."""

    cast: Cast
    open: OnboardingRequest
    returned: OnboardingRequest
    draft: str

    def addresses(self, app: Any) -> Iterator[str]:
        """Every GET route with what stands for its parts."""
        known = {
            "number": [str(self.open.number), str(self.returned.number), "P-2026-9999"],
            "draft": [self.draft, str(self.returned.id)],
            "slug": [self.cast.school.slug, self.cast.hospital.slug],
            "person": [str(self.open.beneficiary_id), str(self.cast.approver.person)],
        }
        for route in routes_of(app):
            if "GET" not in (route.methods or ()) or route.path in NOT_OPENED:
                continue
            names = re.findall(r"{(\w+)}", route.path)
            if not names:
                yield route.path
            elif len(names) == 1 and names[0] in known:
                yield from (route.path.replace(f"{{{names[0]}}}", value) for value in known[names[0]])
            else:
                yield from (route.path.replace(f"{{{names[0]}}}", "00000000-0000-4000-8000-000000000000"),)


@pytest.fixture
def world(database: Database, cast: Cast) -> World:
    away(database, cast.security, Regional.SECURITY, cast.it)
    request, returned = file(cast, **PRIVILEGED), file(cast, personal_number="2")
    answer(cast.approver, returned, "return", "Prosím celý název pozice.", comments={"position": "celý název"})
    with open_session(cast.director.person) as session, transaction(session):
        draft = new_draft(session, cast.director, cast.school.id)
    return World(cast, request, returned, str(draft.id))


@pytest.mark.parametrize("who", [*NAMES, ""])
def test_no_address_changes_anything_when_it_is_only_read(
    database: Database, world: World, app: Any, log_in: LogIn, stranger: Browser, who: str
) -> None:
    reader = log_in(getattr(world.cast, who)) if who else stranger
    addresses = sorted(set(world.addresses(app)))
    assert len(addresses) > 25
    before, opened = rows_of(database), 0
    for path in addresses:
        answers = [
            reader.http.get(path, follow_redirects=False),
            reader.http.get(path, headers={"hx-request": "true"}, follow_redirects=False),
        ]
        assert all(answer.status_code < 500 or path == "/readyz" for answer in answers), path
        opened += answers[0].status_code == 200
    assert opened >= (len(PUBLIC) - 1 if not who else 10)
    assert rows_of(database) == before


def test_the_robot_would_notice_a_change(database: Database, world: World, log_in: LogIn) -> None:
    before = rows_of(database)
    log_in(world.cast.approver).post("/preferences", {"language": "en", "back": "/"})
    after = rows_of(database)
    assert [table for table in before if before[table] != after[table]] == ["public.person"]


@dataclass(frozen=True)
class Written:
    kind: str
    reader: Caller
    request: OnboardingRequest | None = None
    occasion: str = ""


def letters(world: World, database: Database) -> list[Written]:
    """One of every kind, to one who would get it."""
    cast, request = world.cast, world.open
    with database.used_as("nastup_worker"), transaction() as session:
        stage = session.scalars(select(Stage.id).where(Stage.request_id == request.id).order_by(Stage.position)).first()
    with open_session(cast.second_approver.person, cast.second_approver.roles) as session, transaction(session):
        first = date.today() + timedelta(days=30)
        told = Told("region-it", first, first + timedelta(days=3), cast.approver.person)
        ahead = str(absences.tell(session, cast.second_approver, told).id)
    asked = [
        Written(kind, cast.approver, request, f"{stage} 50") for kind in ("waiting_for_you", "handed_to_you", "reminder", "nobody_left")
    ]
    known = [Written(kind, cast.it, request) for kind in ("needs_attention", "second_factor_added")]
    mine = ("refused", "done", "activation_used", "activation_expired", "activation_bounced")
    filed = [Written(kind, cast.director, request) for kind in mine]
    days = [
        Written(kind, who, None, ahead) for kind in ("absence_told", "absence_cancelled") for who in (cast.second_approver, cast.approver)
    ]
    others = [
        Written("escalated", cast.approver, request, f"{stage} 0 deputy"),
        Written("escalated", cast.second_approver, request, f"{stage} 1 head"),
        Written("nobody_left", cast.it, request, f"{stage} nobody"),
        Written("returned", cast.director, world.returned),
        Written("digest", cast.approver, None, "2026-11-26"),
    ]
    return [*asked, *known, *filed, *days, *others]


@pytest.fixture
def put_into_words(database: Database, app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Written, str], Any]:
    """The letter as the dispatcher would send it, in that language."""
    for name, value in SETTINGS.items():
        if name.startswith("NASTUP_MAIL"):
            monkeypatch.setenv(name, value)

    def words(letter: Written, language: str) -> Any:
        with database.superuser() as db:
            db.execute("UPDATE person SET language = %s WHERE id = %s", (language, letter.reader.person))
        with database.used_as("nastup_worker"), transaction() as session:
            row = Letter(kind=letter.kind, person_id=letter.reader.person, occasion=letter.occasion)
            row.request_id = letter.request.id if letter.request else None
            session.get_one(Person, letter.reader.person)
            with session.no_autoflush:
                return postbox.written(session, row)

    return words


@pytest.mark.parametrize("language", ["cs", "en"])
def test_every_letter_leads_to_a_page_that_its_reader_opens_and_that_changes_nothing(
    database: Database, world: World, log_in: LogIn, put_into_words: Callable[[Written, str], Any], language: str
) -> None:
    every = letters(world, database)
    kinds = {*postbox.KINDS, *postbox.told.STAGES, *postbox.told.DAYS}
    assert {letter.kind for letter in every} == kinds
    for letter in every:
        post = put_into_words(letter, language)
        assert post.subject
        for body in (post.text, post.html):
            assert "%(" not in body, letter.kind
            assert "None" not in body, letter.kind
            links = set(LINK.findall(body))
            assert len(links) == 1, (letter.kind, links)
        (link,) = links
        path = link.removeprefix("https://portal.example")
        assert path.startswith("/"), link
        before = rows_of(database)
        answer = log_in(letter.reader).http.get(path, follow_redirects=False)
        assert answer.status_code == 200, (letter.kind, letter.reader.name, path)
        assert rows_of(database) == before, letter.kind


def test_a_letter_is_another_text_in_the_other_language(
    database: Database, world: World, put_into_words: Callable[[Written, str], Any]
) -> None:
    for letter in letters(world, database):
        czech, english = put_into_words(letter, "cs"), put_into_words(letter, "en")
        assert czech.subject != english.subject, letter.kind
        assert "Dobrý den" in czech.text
        assert "Hello," in english.html


def test_the_digest_shows_twenty_and_counts_the_rest(
    database: Database, cast: Cast, app: Any, put_into_words: Callable[[Written, str], Any]
) -> None:
    numbers = [str(file(cast, personal_number=str(n)).number) for n in range(23)]
    with database.superuser() as db:  # the last that was filed is due first
        for n, number in enumerate(numbers):
            one = "(SELECT id FROM onboarding_request WHERE number = %s)"
            db.execute(f"UPDATE stage SET due_at = due_at - interval '1 day' * %s WHERE request_id = {one}", (n, number))
    post = put_into_words(Written("digest", cast.approver, None, "2026-11-26"), "cs")
    assert re.findall(r"P-\d{4}-\d{4}(?=:)", post.text) == numbers[::-1][:20]
    assert "a ještě 3" in post.text
    assert "Čeká na vás 23 žádostí" in post.subject
