"""The cast of the demo: as data, and planted on the servers."""

import json
from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from infra.demo import portal
from infra.demo.browser import Browser
from infra.grant import grant
from infra.progress import Trouble
from infra.seed import log_ins, plant, table
from infra.seed.cast import Member, cast
from infra.servers import postgres, realm
from infra.state import State

REGIONAL = ["founder", "region-it", "region-it", "security", "dpo", "it", "auditor"]


@pytest.fixture
def state() -> State:
    return State.of_tests()


def test_everybody_that_a_demonstration_needs_is_there():
    assert [member.role for member in cast().regional()] == REGIONAL
    for place in cast().places:
        assert [member.role for member, where in cast().employees() if where == place] == ["director", "deputy", "clerk"]


def test_nobody_of_the_cast_can_be_somebody_real():
    assert all(member.address.endswith(".example") for member in cast().members)
    assert len({member.id for member in cast().members}) == len({member.user_name for member in cast().members}) == 13


def test_ids_stay_the_same_on_every_machine():
    assert str(cast().one("director", "gym-opava").id) == "2e544075-dddb-5119-8868-78c06f19e3dd"
    assert str(cast().places[0].id) == "883e0d3a-4edd-5df6-bd32-d82e04905b94"


def test_who_is_not_there_is_said():
    with pytest.raises(LookupError, match="nobody of the cast is janitor"):
        cast().one("janitor")


@pytest.mark.servers
def test_planting_again_changes_nothing(state: State):
    before = _everything(state)
    plant(state)
    assert _everything(state) == before


@pytest.mark.servers
def test_the_log_ins_are_printed_with_a_code_that_works_now(state: State):
    people = log_ins(state)
    assert len(people) == len(cast().members)
    assert all(person.user_name in table(people) and person.secret in table(people) for person in people)
    assert state.path("secrets", "cast.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.servers
@pytest.mark.parametrize(
    ("role", "slug", "page"), [("director", "nem-karvina", "/requests/new/employee"), ("it", None, "/runs"), ("auditor", None, "/audit")]
)
def test_the_cast_logs_in_and_sees_what_their_role_shows(state: State, role: str, slug: str | None, page: str):
    with Browser() as browser:
        portal.enter(state, browser, cast().one(role, slug))
        assert browser.get(f"{state.address('portal')}{page}").status == 200


@pytest.mark.servers
def test_a_director_is_refused_the_queue(state: State):
    with Browser() as browser:
        portal.enter(state, browser, cast().one("deputy", "nem-karvina"))
        assert browser.get(f"{state.address('portal')}/queue").status == 404


@pytest.fixture
def dpo(state: State) -> Iterator[Member]:
    """Somebody without the role auditor, before and after."""
    member = cast().one("dpo")
    taken = "DELETE FROM regional_role WHERE person_id = %s AND role = 'auditor'"
    for step in (0, 1):
        with psycopg.connect(postgres.dsn(state, "postgres", "portal")) as db:
            db.execute(taken, (member.id,))
        if step == 0:
            yield member


@pytest.mark.servers
def test_a_granted_role_stands_in_both_places_and_once_in_the_audit(state: State, dpo: Member):
    before = _granted(state, dpo)
    assert grant(state, dpo.address, "auditor") == f"{dpo.address} now holds the role auditor"
    assert grant(state, str(dpo.id), "auditor") == f"{dpo.address} held the role auditor already"
    assert "auditor" in _realm_roles(state, dpo.user_name)
    assert _granted(state, dpo) == before + 1


@pytest.mark.servers
def test_nobody_is_granted_a_role_who_is_not_known(state: State):
    with pytest.raises(Trouble, match="the person has to exist in the portal first"):
        grant(state, "nikdo@kraj.example", "it")


def _everything(state: State) -> dict[str, object]:
    """Row versions in both databases, and what Keycloak's administrators have changed."""
    seen: dict[str, object] = {}
    for database, tables in (
        ("portal", ("person", "organisation", "organisation_role", "regional_role", "login_account", "employment", "reserved_name")),
        ("mail", ("domain", "mailbox")),
    ):
        with psycopg.connect(postgres.dsn(state, "postgres", database)) as db:
            seen |= {name: sorted(db.execute(f"SELECT xmin::text, {name}::text FROM {name}".encode()).fetchall()) for name in tables}
    with realm.administrator(state) as keycloak:
        events = _ok(keycloak.get("/admin-events", params={"max": 1000}))
    seen["keycloak"] = [(event["time"], event["operationType"]) for event in events]
    return seen


def _granted(state: State, member: Member) -> int:
    written = "SELECT count(*) FROM audit WHERE action = 'role.granted' AND facts->>'person' = %s AND facts->>'role' = 'auditor'"
    with psycopg.connect(postgres.dsn(state, "postgres", "portal")) as db:
        counted = db.execute(written, (str(member.id),)).fetchone()
    return counted[0] if counted else 0


def _realm_roles(state: State, user_name: str) -> set[str]:
    with realm.administrator(state) as keycloak:
        account = _ok(keycloak.get("/users", params={"username": user_name, "exact": True}))[0]["id"]
        return {role["name"] for role in _ok(keycloak.get(f"/users/{account}/role-mappings/realm"))}


def _ok(answer: httpx2.Response):
    return json.loads(answer.raise_for_status().text)
