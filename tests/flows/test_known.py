"""Who is known: a request that was refused leaves a row of a person, who is nobody's namesake and holds no address."""

from uuid import UUID

import pytest

from flows.approval import directory, judged, known, progress
from flows.approval.people import Caller
from flows.model import OnboardingRequest
from flows.model.session import open_session
from tests.approvals import answer, file
from tests.cast import Cast
from tests.database import Database

WARNING = "%(n)s other people of the same name are known here."


@pytest.fixture
def refused(cast: Cast) -> OnboardingRequest:
    request = file(cast)
    answer(cast.approver, request, "refuse", "Bez rozpočtu.")
    return request


def warned(by: Caller, request: OnboardingRequest) -> bool:
    with open_session(by.person, by.roles) as session:
        checks = judged.checks(session, progress.find(session, by, str(request.number)))
    return WARNING in [check["text"].msgid for check in checks]


def people_known_as(database: Database, who: str) -> list[UUID]:
    with database.used_as("nastup_owner"), open_session() as session:
        return [person.id for person in known.known_as(session, who)]


def address_of(request: OnboardingRequest) -> str:
    return (request.plan or {})["mailbox"]["address"]


def test_whoever_was_refused_is_no_namesake_of_the_one_who_is_filed_again(cast: Cast, refused: OnboardingRequest) -> None:
    again = file(cast)
    assert again.beneficiary_id != refused.beneficiary_id
    assert not warned(cast.approver, again)


def test_a_planned_person_and_one_with_a_role_are_namesakes(cast: Cast) -> None:
    file(cast)
    assert warned(cast.approver, file(cast, personal_number="2"))
    given, family = cast.auditor.name.split()
    assert warned(cast.approver, file(cast, personal_number="3", given_name=given, family_name=family))


def test_an_address_is_that_of_the_person_who_is_here(database: Database, cast: Cast, refused: OnboardingRequest) -> None:
    assert people_known_as(database, address_of(refused)) == [refused.beneficiary_id]  # the only one with it
    again = file(cast)
    assert address_of(again) == address_of(refused)
    assert people_known_as(database, address_of(again).upper()) == [again.beneficiary_id]
    assert people_known_as(database, str(refused.beneficiary_id)) == [refused.beneficiary_id]
    assert people_known_as(database, "nobody@kraj.example") == []


def test_a_person_of_whom_nothing_came_is_shown_as_such(cast: Cast, refused: OnboardingRequest) -> None:
    with open_session(cast.approver.person, cast.approver.roles) as session:
        assert directory.person(session, cast.approver, str(refused.beneficiary_id))["state"] == "void"
        assert directory.person(session, cast.approver, str(cast.auditor.person))["state"] == "active"
