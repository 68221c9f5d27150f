"""Reminders, escalations, the alarm and the digest: with dates given, so that a weekend or a change of the clock is one line."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from flows.approval import due, operator, reminding, working_days
from flows.approval.decide import Renewed
from flows.approval.people import Caller, Regional
from flows.model import Audit, Letter, OnboardingRequest, RequestState, Stage
from flows.model.session import transaction
from flows.words import PRAGUE
from tests.approvals import PRIVILEGED, answer, away, correct, file, route, use_policy
from tests.cast import Cast
from tests.database import Database

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=PRAGUE)
THURSDAY = datetime(2026, 11, 26, 16, 0, tzinfo=PRAGUE)  # due: three working days later


def timed(database: Database, request: OnboardingRequest, opened: datetime = MONDAY, due_at: datetime = THURSDAY) -> None:
    with database.superuser() as db:
        db.execute("UPDATE stage SET opened_at = %s, due_at = %s WHERE request_id = %s AND state = 'open'", (opened, due_at, request.id))


def look(database: Database, now: datetime) -> None:
    """What the chore does in its minute."""
    with database.used_as("nastup_worker"):
        with transaction() as session:
            waiting = reminding.to_look_after(session, now)
        for request in waiting:
            with transaction() as session:
                reminding.look_after(session, request, now)


def told(database: Database, kind: str) -> list[UUID]:
    with database.used_as("nastup_worker"), transaction() as session:
        return list(session.scalars(select(Letter.person_id).where(Letter.kind == kind).order_by(Letter.created_at)))


def stage(database: Database, request: OnboardingRequest) -> Stage:
    with database.used_as("nastup_worker"), transaction() as session:
        return session.scalars(select(Stage).where(Stage.request_id == request.id).order_by(Stage.version.desc(), Stage.position)).first()  # type: ignore[return-value]


def test_the_group_is_reminded_at_half_and_at_four_fifths_of_the_working_time(database: Database, cast: Cast) -> None:
    timed(database, file(cast))
    look(database, MONDAY + timedelta(hours=23))  # Tuesday 7:00: a quarter of the working time, though more of the clock's
    assert told(database, "reminder") == []
    look(database, MONDAY + timedelta(days=2))  # Wednesday 8:00: two days of four
    both = {cast.approver.person, cast.second_approver.person}
    assert set(told(database, "reminder")) == both
    look(database, MONDAY + timedelta(days=3, hours=2))
    assert sorted(told(database, "reminder")) == sorted([*both, *both])


def test_a_weekend_takes_nothing_of_the_time(database: Database, cast: Cast) -> None:
    friday, tuesday = datetime(2026, 11, 27, 12, tzinfo=PRAGUE), datetime(2026, 12, 1, 16, tzinfo=PRAGUE)
    timed(database, file(cast), friday, tuesday)
    look(
        database, datetime(2026, 11, 30, 7, 59, tzinfo=PRAGUE)
    )  # almost three days of four on the clock, four hours of twenty in the office
    assert told(database, "reminder") == []
    look(database, datetime(2026, 11, 30, 14, 0, tzinfo=PRAGUE))
    assert len(told(database, "reminder")) == 2


def test_a_reminder_is_written_once_and_one_that_was_missed_is_not_made_up_for(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast))
    for _ in range(3):
        look(database, THURSDAY - timedelta(minutes=5))
    assert len(told(database, "reminder")) == 2
    assert stage(database, request).reminded == 80


def test_only_the_one_who_has_taken_it_is_reminded_unless_they_are_away(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast))
    answer(cast.approver, request, "take")
    look(database, MONDAY + timedelta(days=2))
    assert told(database, "reminder") == [cast.approver.person]
    away(database, cast.approver, Regional.REGION_IT, None)
    look(database, MONDAY + timedelta(days=3, hours=4))
    assert told(database, "reminder") == [cast.approver.person, cast.second_approver.person]


def test_what_is_decided_is_not_reminded_of(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast))
    answer(cast.approver, request)
    look(database, THURSDAY + timedelta(days=5))
    assert told(database, "reminder") == told(database, "escalated") == []


def test_once_late_the_deputy_is_told_and_a_working_day_later_the_head(database: Database, cast: Cast) -> None:
    with database.used_as("nastup_owner"), transaction() as session:
        operator.grant(session, cast.second_approver.person, [Regional.REGION_IT], head=True)
    away(database, cast.approver, Regional.REGION_IT, cast.it)
    timed(database, request := file(cast))
    look(database, THURSDAY - timedelta(seconds=1))
    assert told(database, "escalated") == []
    look(database, THURSDAY)
    assert told(database, "escalated") == [cast.it.person]
    look(database, THURSDAY + timedelta(hours=23))
    assert told(database, "escalated") == [cast.it.person]
    for _ in range(2):
        look(database, THURSDAY + timedelta(days=1))
    assert told(database, "escalated") == [cast.it.person, cast.second_approver.person]
    assert stage(database, request).escalated == 2
    with database.used_as("nastup_worker"), transaction() as session:
        facts = session.scalars(select(Audit.facts).where(Audit.action == "stage.escalated").order_by(Audit.position)).all()
    assert [(each["to"], each["found"]) for each in facts] == [("deputy", True), ("head", True)]


def test_without_deputy_and_head_the_whole_group_is_told_each_time(database: Database, cast: Cast) -> None:
    timed(database, file(cast))
    look(database, THURSDAY)
    look(database, datetime(2026, 11, 30, 16, tzinfo=PRAGUE))
    assert len(told(database, "escalated")) == 4


def test_over_a_weekend_the_head_is_told_on_monday(database: Database, cast: Cast) -> None:
    friday = datetime(2026, 11, 27, 16, tzinfo=PRAGUE)
    timed(database, request := file(cast), MONDAY, friday)
    look(database, friday)
    look(database, friday + timedelta(days=2))
    assert stage(database, request).escalated == 1
    look(database, friday + timedelta(days=3))
    assert stage(database, request).escalated == 2


def test_a_policy_without_escalation_tells_nobody(database: Database, cast: Cast) -> None:
    use_policy(database, text=route('group = "region-it"\nstep = 1\nworking_days = 3\nescalation = []\nreminders = []'))
    timed(database, file(cast))
    look(database, THURSDAY + timedelta(days=9))
    assert told(database, "escalated") == told(database, "reminder") == []


def test_time_never_decides(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast))
    for days in range(0, 60, 7):
        look(database, THURSDAY + timedelta(days=days))
    assert stage(database, request).state == "open"
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.get_one(OnboardingRequest, request.id).state is RequestState.WAITING_APPROVAL


def test_who_went_away_after_the_stage_opened_is_noticed_and_the_fallback_asked(database: Database, cast: Cast) -> None:
    request = file(cast)
    for one in (cast.approver, cast.second_approver):
        away(database, one, Regional.REGION_IT, None)
    look(database, datetime.now(PRAGUE))
    assert stage(database, request).group_name == "founder"
    assert told(database, "nobody_left") == [cast.founder.person]
    look(database, datetime.now(PRAGUE))
    assert told(database, "nobody_left") == [cast.founder.person]


def test_the_alarm_goes_off_when_somebody_is_back_and_the_first_group_is_asked_again(database: Database, cast: Cast) -> None:
    away(database, cast.founder, Regional.FOUNDER, None)
    for one in (cast.approver, cast.second_approver):
        away(database, one, Regional.REGION_IT, None)
    request = file(cast)
    look(database, datetime.now(PRAGUE))
    alarmed = stage(database, request)
    assert (alarmed.group_name, alarmed.nobody) == ("founder", True)
    with database.superuser() as db:
        db.execute("UPDATE absence SET cancelled_at = now() WHERE person_id = %s", (cast.approver.person,))
    look(database, datetime.now(PRAGUE))
    back = stage(database, request)
    assert (back.group_name, back.fallback_from, back.nobody) == ("region-it", None, False)
    answer(cast.approver, request)


def test_the_way_back_is_recorded_and_told_and_a_second_fall_is_told_again(database: Database, cast: Cast) -> None:
    request = file(cast)
    mine = (cast.approver, cast.second_approver)

    def gone(*people: Caller) -> None:
        with database.superuser() as db:
            db.execute("UPDATE absence SET cancelled_at = clock_timestamp() WHERE cancelled_at IS NULL")
        for one in people:
            away(database, one, *one.roles, None)
        look(database, datetime.now(PRAGUE))

    gone(*mine)
    assert told(database, "nobody_left") == [cast.founder.person]
    gone(cast.founder)
    assert stage(database, request).group_name == "region-it"
    assert set(told(database, "waiting_for_you")) == {one.person for one in mine}
    gone(*mine)
    assert stage(database, request).group_name == "founder"
    assert told(database, "nobody_left") == [cast.founder.person] * 2
    gone(cast.founder)
    assert len(told(database, "waiting_for_you")) == 4
    with database.used_as("nastup_worker"), transaction() as session:
        kept = session.scalars(select(Audit.facts).where(Audit.action == "stage.back").order_by(Audit.position)).all()
    assert [dict(each) for each in kept] == [{"stage": 1, "group": "region-it", "fallback": "founder"}] * 2


def test_a_deputy_who_is_away_is_nobody(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, cast.founder)
    away(database, cast.founder, Regional.FOUNDER, None)
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(Stage.nobody).where(Stage.request_id == request.id, Stage.position == 2)).one()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_the_clock_stands_still_while_the_applicant_corrects(database: Database, cast: Cast, gone: int) -> None:
    request = file(cast)
    returned = answer(cast.approver, request, "return", "Prosím celý název pozice.").request
    due_day = working_days.after(datetime.now(PRAGUE), 3 - gone).date()
    with database.superuser() as db:  # it was returned `gone` working days after it was opened, and stayed away for three weeks
        db.execute(
            "UPDATE stage SET due_at = ended_at - interval '21 days' + (%s - now()), ended_at = ended_at - interval '21 days'",
            (datetime.combine(due_day, working_days.END_OF_DAY, PRAGUE),),
        )
        ended, due_at = db.execute("SELECT ended_at, due_at FROM stage").fetchone() or (None, None)
    left = max(1, working_days.between(ended.astimezone(PRAGUE).date(), due_at.astimezone(PRAGUE).date()))
    correct(cast, returned)
    again = stage(database, request)
    assert (again.version, again.working_days) == (2, left)
    assert again.due_at == working_days.after(datetime.now(PRAGUE), left)


def test_the_applicant_corrects_within_the_working_days_of_their_organisation(database: Database, cast: Cast) -> None:
    returned = datetime(2026, 11, 23, 9, tzinfo=PRAGUE)
    with transaction() as session:
        assert due.correct_by(session, returned, cast.school.id) == date(2026, 12, 7)
    with database.superuser() as db:
        db.execute("INSERT INTO closed_day (organisation_id, day) VALUES (%s, '2026-11-27'), (NULL, '2026-12-01')", (cast.school.id,))
    with database.used_as("nastup_worker"), transaction() as session:
        assert due.correct_by(session, returned, cast.school.id) == date(2026, 12, 8)
        assert due.correct_by(session, returned, cast.hospital.id) == date(2026, 12, 7)
        assert due.after(session, returned, 6).date() == date(2026, 12, 2)


SEVEN = datetime(2026, 11, 26, 7, 0, tzinfo=PRAGUE)


def test_the_digest_is_one_letter_to_each_for_whom_something_waits(database: Database, cast: Cast) -> None:
    for n in range(3):
        timed(database, file(cast, personal_number=str(n)), SEVEN - timedelta(days=1))
    assert digest(database, SEVEN - timedelta(minutes=1)) == 0
    assert digest(database, SEVEN) == 2
    assert digest(database, SEVEN + timedelta(minutes=1)) == 0
    assert set(told(database, "digest")) == {cast.approver.person, cast.second_approver.person}


def test_there_is_no_digest_when_nothing_waits_nor_on_a_free_day(database: Database, cast: Cast) -> None:
    assert digest(database, SEVEN) == 0
    timed(database, file(cast), SEVEN - timedelta(days=9))
    assert digest(database, datetime(2026, 11, 28, 9, tzinfo=PRAGUE)) == 0  # Saturday
    assert digest(database, datetime(2027, 3, 26, 9, tzinfo=PRAGUE)) == 0  # Good Friday
    with database.superuser() as db:
        db.execute("INSERT INTO closed_day (day) VALUES ('2026-11-26')")
    assert digest(database, SEVEN) == 0


@pytest.mark.parametrize("day", [date(2026, 3, 30), date(2026, 10, 26), date(2027, 3, 30), date(2027, 11, 1)])
def test_the_digest_comes_at_seven_on_the_wall_after_a_change_of_the_clock(database: Database, cast: Cast, day: date) -> None:
    timed(database, file(cast), datetime(day.year - 1, 1, 5, 9, tzinfo=PRAGUE))
    seven = datetime(day.year, day.month, day.day, 7, tzinfo=PRAGUE)
    assert digest(database, seven - timedelta(seconds=1)) == 0
    assert digest(database, seven) == 2


def test_what_a_colleague_has_taken_or_what_came_after_seven_is_not_in_the_digest(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast), SEVEN - timedelta(days=1))
    answer(cast.approver, request, "take")
    timed(database, file(cast, personal_number="2"), SEVEN + timedelta(minutes=1))
    assert digest(database, SEVEN + timedelta(hours=2)) == 1
    assert told(database, "digest") == [cast.approver.person]


def test_what_somebody_took_who_is_away_is_in_the_digest_of_the_others(database: Database, cast: Cast) -> None:
    timed(database, request := file(cast), SEVEN - timedelta(days=1))
    answer(cast.approver, request, "take")
    away(database, cast.approver, Regional.REGION_IT, None)
    assert digest(database, SEVEN) == 1
    assert told(database, "digest") == [cast.second_approver.person]
    with database.used_as("nastup_worker"), transaction() as session:
        waits = {
            one.name: len(reminding.waiting_for(session, one.person, 9)) for one in (cast.approver, cast.second_approver, cast.founder)
        }
    assert list(waits.values()) == [0, 1, 0]


def test_who_is_away_gets_no_digest_and_the_deputy_does(database: Database, cast: Cast) -> None:
    away(database, cast.approver, Regional.REGION_IT, cast.it)
    timed(database, file(cast), SEVEN - timedelta(days=1))
    digest(database, SEVEN)
    assert set(told(database, "digest")) == {cast.it.person, cast.second_approver.person}


def test_a_new_request_far_from_its_first_day_makes_no_single_letter(database: Database, cast: Cast) -> None:
    file(cast)
    assert told(database, "waiting_for_you") == []
    file(cast, personal_number="2", start=(date.today() + timedelta(days=1)).isoformat())
    assert set(told(database, "waiting_for_you")) == {cast.approver.person, cast.second_approver.person}


@pytest.mark.parametrize(
    ("start", "near"),
    [(date(2026, 12, 1), True), (date(2026, 12, 2), True), (date(2026, 12, 3), False), (date(2026, 11, 20), True), (None, False)],
)
def test_a_first_day_is_near_within_three_working_days_of_the_region(
    database: Database, cast: Cast, start: date | None, near: bool
) -> None:
    with database.superuser() as db:
        db.execute("INSERT INTO closed_day (day) VALUES ('2026-11-27')")
    with database.used_as("nastup_worker"), transaction() as session:  # Thursday, then a closed day and a weekend
        assert due.blocks(session, start, THURSDAY) is near


FALLS_BACK = 'group = "region-it"\nstep = 1\nworking_days = 5\nfallback = "founder"'
BESIDE = 'group = "security"\nstep = 1\nworking_days = 9'
AFTER = 'group = "founder"\nstep = 2\nworking_days = 4'


def clocks(database: Database, request: OnboardingRequest, version: int) -> dict[str, int]:
    with database.used_as("nastup_worker"), transaction() as session:
        mine = select(Stage).where(Stage.request_id == request.id, Stage.version == version)
        return {row.fallback_from or row.group_name: row.working_days for row in session.scalars(mine)}


def test_neither_a_fallback_nor_a_stage_beside_gets_its_clock_anew_by_a_correction(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(FALLS_BACK, BESIDE, AFTER))
    for one in (cast.approver, cast.second_approver):
        away(database, one, Regional.REGION_IT, None)
    request = file(cast)
    now = datetime.now(PRAGUE)
    for group, days in (("founder", 2), ("security", 6)):
        with database.superuser() as db:
            db.execute("UPDATE stage SET due_at = %s WHERE group_name = %s", (working_days.after(now, days), group))
    returned = answer(cast.founder, request, "return", "Prosím celý název pozice.").request
    correct(cast, returned)
    assert clocks(database, request, 2) == {"region-it": 2, "security": 6, "founder": 4}


def test_a_next_version_made_by_the_portal_is_as_late_as_the_one_before(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(FALLS_BACK, BESIDE))
    request = file(cast)
    late, later = datetime(2026, 11, 20, 16, tzinfo=PRAGUE), working_days.after(datetime.now(PRAGUE), 3)
    for group, at in (("region-it", late), ("security", later)):
        with database.superuser() as db:
            db.execute("UPDATE stage SET due_at = %s WHERE group_name = %s", (at, group))
    look(database, datetime.now(PRAGUE))
    use_policy(database, text=route(FALLS_BACK.replace("5", "8"), BESIDE, AFTER))
    assert isinstance(answer(cast.approver, request), Renewed)
    with database.used_as("nastup_worker"), transaction() as session:
        rows = session.scalars(select(Stage).where(Stage.version == 2, Stage.state == "open").order_by(Stage.position)).all()
        assert rows[0].escalated == 2
        assert [(row.group_name, row.due_at) for row in rows] == [("region-it", late), ("security", later)]


def digest(database: Database, now: datetime) -> int:
    with database.used_as("nastup_worker"), transaction() as session:
        return reminding.write_digests(session, now)
