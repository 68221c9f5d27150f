"""Who is away tells it, who stands in learns it, and what cannot be is refused with a sentence."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation
from sqlalchemy import func, select

from flows.approval import absences, closed_days
from flows.approval.absences import Told
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems, NoLongerOpen, NotAllowed, NotFound, SecondFactorNeeded
from flows.model import Absence, Audit, ClosedDay, Letter
from flows.model.session import open_session, transaction
from tests.approvals import PRIVILEGED, answer, away, file, same_human, seen_today
from tests.cast import Cast
from tests.database import Database

TODAY = date.today()
IT, SECURITY = Regional.REGION_IT, Regional.SECURITY


def tell(by: Caller, group: str = "region-it", first: int = 0, last: int = 4, deputy: UUID | None = None) -> Absence:
    """An absence from so many days ahead to so many days ahead."""
    told = Told(group, TODAY + timedelta(days=first), TODAY + timedelta(days=last), deputy)
    with open_session(by.person, by.roles) as session, transaction(session):
        return absences.tell(session, by, told)


def end(by: Caller, absence: UUID) -> Absence:
    with open_session(by.person, by.roles) as session, transaction(session):
        return absences.end(session, by, absence)


def refused(by: Caller, *what: Any, **how: Any) -> dict[str, str]:
    with pytest.raises(FormProblems) as refusal:
        tell(by, *what, **how)
    return {name: str(sentence) for name, sentence in refusal.value.fields.items()}


def told(database: Database, kind: str) -> set[UUID]:
    with database.used_as("nastup_worker"), transaction() as session:
        return set(session.scalars(select(Letter.person_id).where(Letter.kind == kind, Letter.request_id.is_(None))))


def test_the_deputy_decides_both_get_a_letter_and_the_audit_knows(database: Database, cast: Cast) -> None:
    tell(cast.security, "security", deputy=cast.it.person)
    assert told(database, "absence_told") == {cast.security.person, cast.it.person}
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    answer(seen_today(cast.it), request)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action == "absence.told")) == 1


def test_without_a_deputy_only_the_absent_one_gets_a_letter(database: Database, cast: Cast) -> None:
    tell(cast.approver)
    assert told(database, "absence_told") == {cast.approver.person}


def test_who_logged_in_without_the_second_factor_may_be_away_and_names_nobody(database: Database, cast: Cast) -> None:
    plain = replace(cast.approver, second_factor=False)
    with pytest.raises(SecondFactorNeeded):
        tell(plain, deputy=cast.it.person)
    assert told(database, "absence_told") == set()
    absence = tell(plain)
    assert end(plain, absence.id).cancelled_at  # to take back what was handed over needs none


def test_one_that_has_not_begun_is_called_off_whole(database: Database, cast: Cast) -> None:
    absence = tell(cast.approver, first=3, deputy=cast.it.person)
    assert end(cast.approver, absence.id).cancelled_at
    assert told(database, "absence_cancelled") == {cast.approver.person, cast.it.person}


def test_one_that_runs_ends_with_yesterday_and_stays_known(database: Database, cast: Cast) -> None:
    away(database, cast.approver, IT, cast.it)
    with database.superuser() as db:
        db.execute("UPDATE absence SET from_day = current_date - 3")
    with open_session(cast.approver.person, cast.approver.roles) as session:
        (mine,) = absences.listed(session, cast.approver)
    ended = end(cast.approver, mine.id)
    assert (ended.cancelled_at, ended.until_day) == (None, TODAY - timedelta(days=1))
    assert not seen_today(cast.it).stands_in


@pytest.mark.parametrize(
    ("what", "field", "words"),
    [
        ({"first": 4, "last": 3}, "last", "end before it begins"),
        ({"first": -1}, "first", "has passed"),
        ({"group": "security"}, "group", "in which you decide"),
        ({"group": "auditor"}, "group", "in which you decide"),
        ({"deputy": "approver"}, "deputy", "for themselves"),
        ({"deputy": "director"}, "deputy", "no role in the region"),
        ({"deputy": "nobody"}, "deputy", "no role in the region"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(database: Database, cast: Cast, what: dict[str, Any], field: str, words: str) -> None:
    if name := what.get("deputy"):
        what = what | {"deputy": uuid4() if name == "nobody" else getattr(cast, name).person}
    problems = refused(cast.approver, **what)
    assert list(problems) == [field]
    assert words in problems[field]


def test_a_day_that_was_not_written_is_asked_for(database: Database, cast: Cast) -> None:
    with pytest.raises(FormProblems) as refusal, open_session(cast.approver.person, cast.approver.roles) as session, transaction(session):
        absences.tell(session, cast.approver, Told("region-it", None, None))
    assert set(refusal.value.fields) == {"first", "last"}


def test_ones_other_account_is_oneself(database: Database, cast: Cast) -> None:
    same_human(database, cast.it, cast.approver, cast.security)
    assert "for themselves" in refused(cast.approver, deputy=cast.it.person)["deputy"]


def test_a_role_that_has_ended_makes_no_deputy(database: Database, cast: Cast) -> None:
    with database.superuser() as db:
        db.execute(
            "UPDATE regional_role SET valid_from = '2026-01-01', valid_until = current_date - 1 WHERE person_id = %s", (cast.it.person,)
        )
    assert "no role" in refused(cast.approver, deputy=cast.it.person)["deputy"]


def test_two_that_overlap_are_one_too_many_but_another_time_or_group_is_not(database: Database, cast: Cast) -> None:
    tell(cast.approver, first=2, last=4)
    assert "already" in refused(cast.approver, first=4, last=9)["first"]
    tell(cast.approver, first=5, last=9)
    tell(cast.approver, first=0, last=1)


@pytest.mark.parametrize("overlaps", [True, False])
def test_deputies_in_a_circle_are_refused_when_they_would_be_away_at_the_same_time(database: Database, cast: Cast, overlaps: bool) -> None:
    tell(cast.approver, first=0, last=4, deputy=cast.second_approver.person)
    first = 4 if overlaps else 5
    if overlaps:
        assert "circle" in refused(cast.second_approver, first=first, last=9, deputy=cast.approver.person)["deputy"]
    else:
        tell(cast.second_approver, first=first, last=9, deputy=cast.approver.person)


def test_a_circle_behind_the_second_absence_of_a_deputy_is_found_too(database: Database, cast: Cast) -> None:
    tell(cast.second_approver, first=0, last=2, deputy=cast.it.person)
    tell(cast.second_approver, first=3, last=5, deputy=cast.approver.person)
    assert "circle" in refused(cast.approver, first=0, last=5, deputy=cast.second_approver.person)["deputy"]
    tell(cast.approver, first=0, last=2, deputy=cast.second_approver.person)


@pytest.mark.parametrize("begins", [-3, 2])
def test_one_whose_deputy_turned_out_to_be_the_absent_one_is_ended_all_the_same(database: Database, cast: Cast, begins: int) -> None:
    absence = tell(cast.approver, first=2, deputy=cast.it.person)
    with database.superuser() as db:
        db.execute("UPDATE absence SET from_day = %s", (TODAY + timedelta(days=begins),))
    same_human(database, cast.it, cast.approver, cast.security)
    ended = end(cast.approver, absence.id)
    assert (ended.cancelled_at is None, ended.until_day < TODAY) == (begins < 0, begins < 0)


@pytest.mark.parametrize("change", ["until_day = until_day + 5", "cancelled_at = NULL"])
def test_a_circle_that_was_cut_is_not_closed_again_by_a_change(database: Database, cast: Cast, change: str) -> None:
    first = tell(cast.approver, first=0, last=4, deputy=cast.second_approver.person)
    end(cast.approver, first.id) if "cancelled" in change else None
    tell(cast.second_approver, first=2 if "cancelled" in change else 5, last=9, deputy=cast.approver.person)
    with database.superuser() as db, pytest.raises(CheckViolation, match="circle"):
        db.execute(f"UPDATE absence SET {change} WHERE id = %s".encode(), (first.id,))


def test_nobody_ends_or_tells_for_another(database: Database, cast: Cast) -> None:
    absence = tell(cast.approver, deputy=cast.it.person)
    for stranger in (cast.second_approver, cast.it, cast.director):
        with pytest.raises(NotFound):
            end(stranger, absence.id)
    with open_session(cast.it.person, cast.it.roles) as session:
        assert [each.id for each in absences.listed(session, cast.it)] == [absence.id]
    with open_session(cast.security.person, cast.security.roles) as session:
        assert absences.listed(session, cast.security) == []
    assert refused(cast.director, "region-it")["group"]


def test_ended_twice_it_says_that_it_is_over(database: Database, cast: Cast) -> None:
    absence = tell(cast.approver, first=1)
    end(cast.approver, absence.id)
    with pytest.raises(NoLongerOpen):
        end(cast.approver, absence.id)
    tell(cast.approver, first=1)  # and the days are free for another one


def close(by: Caller, organisation: UUID | None, day: date | None, note: str = "") -> None:
    with open_session(by.person, by.roles) as session, transaction(session):
        closed_days.close(session, by, organisation, day, note)


def a_working_day() -> date:
    return next(day for n in range(20, 40) if (day := TODAY + timedelta(days=n)).weekday() == 2 and (day.month, day.day) not in FREE)


FREE = {(12, 23), (12, 24), (12, 25), (12, 26), (1, 1), (5, 1), (5, 8), (7, 5), (7, 6), (9, 28), (10, 28), (11, 17)}


def test_closed_days_are_set_by_those_whose_days_they_are_and_by_nobody_else(database: Database, cast: Cast) -> None:
    day = a_working_day()
    close(cast.approver, None, day, "inventura")
    close(cast.director, cast.school.id, day)
    close(cast.deputy, cast.school.id, day + timedelta(days=1))
    for by, where, refusal in (
        (cast.director, None, NotFound),  # the region's days are a page of the region
        (cast.security, None, NotAllowed),
        (cast.clerk, cast.school.id, NotAllowed),
        (cast.hospital_director, cast.school.id, NotAllowed),
        (cast.approver, cast.school.id, NotAllowed),
    ):
        with pytest.raises(refusal):
            close(by, where, day + timedelta(days=2))
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalar(select(func.count()).select_from(ClosedDay)) == 3


@pytest.mark.parametrize(
    ("day", "note", "field"),
    [
        (None, "", "day"),
        (TODAY - timedelta(days=1), "", "day"),
        (TODAY + timedelta(days=900), "", "day"),
        (date(TODAY.year + 1, 12, 25), "", "day"),
        (a_working_day(), "x" * 101, "note"),
    ],
)
def test_a_day_that_cannot_be_closed_is_refused(database: Database, cast: Cast, day: date | None, note: str, field: str) -> None:
    with pytest.raises(FormProblems) as refusal:
        close(cast.approver, None, day, note)
    assert set(refusal.value.fields) == {field}


def test_a_day_is_closed_once_and_opened_by_its_owner(database: Database, cast: Cast) -> None:
    day = a_working_day()
    close(cast.director, cast.school.id, day)
    with pytest.raises(FormProblems):
        close(cast.director, cast.school.id, day)
    with open_session(cast.director.person) as session:
        (kept,) = closed_days.ahead(session, cast.school.id)
    for by, where, refusal in ((cast.approver, None, NotFound), (cast.clerk, cast.school.id, NotAllowed)):
        with pytest.raises(refusal), open_session(by.person, by.roles) as session, transaction(session):
            closed_days.open_again(session, by, where, kept.id)
    with open_session(cast.director.person) as session, transaction(session):
        closed_days.open_again(session, cast.director, cast.school.id, kept.id)
    with open_session(cast.director.person) as session:
        assert closed_days.ahead(session, cast.school.id) == []
