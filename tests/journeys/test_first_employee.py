"""An employee's first day through real servers, by a browser without JavaScript: what `python3 -m infra run` prints, taken at its word."""

import re
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from infra.demo import NotProved, first_employee, portal
from infra.demo.browser import Browser
from infra.demo.catcher import letter_to, link_in
from infra.demo.mailbox import use_mailbox
from infra.demo.people import log_in
from infra.demo.story import PRIVATE, director, remembered
from infra.seed.cast import cast
from infra.seed.credentials import Credentials, known
from infra.servers import postgres, realm
from infra.state import State

pytestmark = pytest.mark.servers

LIMIT = 5  # seconds from the decision to the first remote effect; the goal is 1.5
STEPS = {
    "portal.names are ours",
    "keycloak.ensure account",
    "portal.link log-in",
    "keycloak.ensure membership",
    "mail.ensure mailbox",
    "backup.ensure enrolment",
    "mail.message comes back",
    "backup.message is restored",
    "mail.remove proof message",
    "keycloak.open account",
    "keycloak.send activation link",
}


@pytest.fixture(scope="module")
def state() -> State:
    return State.of_tests()


@pytest.fixture(scope="module")
def proof(state: State) -> dict[str, Any]:
    return first_employee(state)


def test_the_request_is_done_and_has_a_number(proof: dict[str, Any]):
    assert proof["state"] == "done"
    assert re.fullmatch(r"P-\d{4}-\d{4}", proof["request"])


def test_the_account_is_in_keycloak_and_in_its_organisation(state: State, proof: dict[str, Any]):
    identity = proof["identity"]
    with realm.administrator(state) as keycloak:
        account = keycloak.get(f"/users/{UUID(identity['account'])}").raise_for_status().json()
        member = keycloak.get(f"/organizations/{identity['organisation']}/members/{identity['account']}")
        credentials = keycloak.get(f"/users/{identity['account']}/credentials").raise_for_status().json()
    assert (account["username"], account["enabled"], account["emailVerified"]) == ("zofie.stastna", True, True)
    assert member.status_code == 200
    assert sorted(each["type"] for each in credentials) == ["otp", "password"]


def test_the_message_that_arrived_came_back_from_the_backup_byte_for_byte(proof: dict[str, Any]):
    assert proof["backup"]["same"] is True
    assert re.fullmatch(r"[0-9a-f]{64}", proof["backup"]["restored_sha256"])
    assert proof["backup"]["restored_sha256"] == proof["mailbox"]["arrived_sha256"]


def test_the_private_address_is_forgotten_once_the_link_is_used(state: State, proof: dict[str, Any]):
    assert proof["identity"]["activation"] == "used"
    with psycopg.connect(postgres.dsn(state, "postgres", "portal")) as db:
        contacts = db.execute(
            "SELECT c.address, c.salt FROM activation_contact c JOIN onboarding_request q ON q.id = c.request_id WHERE q.number = %s",
            (proof["request"],),
        ).fetchall()
    with psycopg.connect(postgres.dsn(state, "postgres", "mail")) as db:
        kept = db.execute("SELECT count(*) FROM activation WHERE private_address = %s", (PRIVATE,)).fetchone()
    assert contacts == [(None, None)]
    assert kept == (0,)


def test_the_seconds_of_every_step_are_known(proof: dict[str, Any]):
    people = {"filing", "deciding", "watching", "activation", "own mail"}
    assert STEPS | people | {"decision to first remote effect", "decision to done"} == set(proof["seconds"])
    assert all(seconds >= 0 for seconds in proof["seconds"].values())


def test_the_first_remote_effect_follows_the_decision_within_the_limit(proof: dict[str, Any]):
    assert 0 < proof["seconds"]["decision to first remote effect"] < LIMIT


def test_the_repeats_wrote_nothing_and_found_everything(proof: dict[str, Any]):
    assert proof["repeat"]["remote_writes"] == 0
    assert proof["repeat"]["adopted"] == {"portal": 2, "keycloak": 4, "mail": 1, "backup": 1}


def test_no_secret_stands_in_the_proof(state: State, proof: dict[str, Any]):
    story = remembered(state)
    assert not {story.password, story.seed} & set(re.findall(r"[\w-]+", str(proof)))


def test_a_later_start_proves_the_same_person_and_files_nothing(state: State, proof: dict[str, Any]):
    before = _requests(state)
    again = first_employee(state)
    assert _requests(state) == before
    assert again["request"] == proof["request"]
    assert again["identity"] == proof["identity"]
    assert again["backup"]["restored_sha256"] != proof["backup"]["restored_sha256"]  # a new message, so it was proved anew
    assert again["backup"]["same"] is True


def test_the_used_link_is_dead(state: State, proof: dict[str, Any]):
    assert proof["identity"]["activation"] == "used"
    with Browser() as browser:
        page = browser.get(link_in(letter_to(state, PRIVATE)))
    assert page.status == 400
    assert page.form("password-new") is None


def test_the_mailbox_opens_for_no_other_token(state: State, proof: dict[str, Any]):
    with pytest.raises(NotProved, match="did not let zofie"):
        use_mailbox(state, proof["mailbox"]["address"], "not.a.token")


def test_the_employee_logs_in_but_files_for_nobody(state: State, proof: dict[str, Any]):
    story = remembered(state)
    assert story.credentials is not None
    with Browser() as browser:
        page = log_in(browser, browser.get(f"{state.address('portal')}/login"), story.user_name, story.credentials)
        assert page.form_to("/logout") is not None
        assert browser.get(f"{state.address('portal')}/requests/new/employee").status == 403
        assert browser.get(f"{state.address('portal')}/requests/{proof['request']}").status == 404


def test_a_director_of_another_organisation_sees_the_same_as_for_nothing(state: State, proof: dict[str, Any]):
    with Browser() as browser:
        portal.enter(state, browser, cast().one("director", "nem-karvina"))
        foreign = browser.get(f"{state.address('portal')}/requests/{proof['request']}")
        nothing = browser.get(f"{state.address('portal')}/requests/P-2026-9999")
    assert (foreign.status, nothing.status) == (404, 404)
    assert foreign.content.words == nothing.content.words


def test_a_wrong_password_is_said_in_a_sentence(state: State):
    right = known(state)[director().user_name]
    with Browser() as browser, pytest.raises(NotProved, match="could not log in"):
        log_in(browser, browser.get(f"{state.address('portal')}/login"), "nobody.here", Credentials("wrong-password", right.seed))


def test_the_caught_letter_is_in_czech_and_carries_our_name(state: State, proof: dict[str, Any]):
    letter = letter_to(state, PRIVATE)
    assert letter["recipients"] == [PRIVATE]
    assert "Nástup" in letter["subject"] + letter["text"]
    assert httpx2.get(f"{state.address('catcher')}/letters/{letter['id']}").status_code == 200


def _requests(state: State) -> int:
    with psycopg.connect(postgres.dsn(state, "postgres", "portal")) as db:
        counted = db.execute("SELECT count(*) FROM onboarding_request").fetchone()
    return counted[0] if counted else 0
