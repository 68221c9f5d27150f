"""A day is a day in Prague, whatever the zone of the database or of its session: after midnight there it is still yesterday in UTC."""

from datetime import date, datetime

import pytest

from flows.approval import operator
from flows.approval.people import Caller, Regional
from flows.model.session import transaction
from flows.words import PRAGUE
from tests.cast import Cast
from tests.database import Database

ELSEWHERE = ["Etc/GMT+12", "Etc/GMT-14"]  # at every moment it is another day than in Prague in one of the two


def asked(database: Database, by: Caller, zone: str) -> tuple[bool, int]:
    """Whether the person has a regional role, and in how many organisations one, for a session in that zone."""
    with database.superuser() as db:
        db.execute("SELECT set_config('TimeZone', %s, false), set_config('nastup.person', %s, false)", (zone, str(by.person)))
        db.execute("SELECT set_config('nastup.roles', %s, false)", (",".join(by.roles),))
        row = db.execute("SELECT asking_regional(), (SELECT count(*) FROM asking_organisations())").fetchone()
    assert row
    return row


def of_today_only(database: Database) -> None:
    day = datetime.now(PRAGUE).date()
    with database.superuser() as db:
        for table in ("regional_role", "organisation_role"):
            db.execute(f"UPDATE {table} SET valid_from = %s, valid_until = %s".encode(), (day, day))


@pytest.mark.parametrize("zone", ELSEWHERE)
def test_a_role_of_today_counts_from_midnight_to_midnight_in_prague(database: Database, cast: Cast, zone: str) -> None:
    of_today_only(database)
    assert asked(database, cast.approver, zone) == (True, 0)
    assert asked(database, cast.director, zone) == (False, 1)


@pytest.mark.parametrize("zone", ELSEWHERE)
def test_a_role_that_is_given_begins_today_in_prague(database: Database, cast: Cast, zone: str) -> None:
    with database.superuser() as db:
        db.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        given = "INSERT INTO regional_role (person_id, role, granted_by) VALUES (%s, 'dpo', 'tests') RETURNING valid_from"
        row = db.execute(given, (cast.it.person,)).fetchone()
    assert row == (datetime.now(PRAGUE).date(),)


@pytest.mark.parametrize("zone", ELSEWHERE)
def test_a_role_that_ended_yesterday_in_prague_is_given_anew(database: Database, cast: Cast, zone: str) -> None:
    yesterday = date.fromordinal(datetime.now(PRAGUE).date().toordinal() - 1)
    with database.superuser() as db:
        db.execute("UPDATE regional_role SET valid_from = '2026-01-01', valid_until = %s", (yesterday,))
    for new in (1, 0):
        with database.used_as("nastup_owner"), transaction() as session:
            session.connection().exec_driver_sql(f"SET LOCAL TIME ZONE '{zone}'")
            assert operator.grant(session, cast.it.person, [Regional.IT]) == new
