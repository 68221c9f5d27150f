from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flows.approval import due
from flows.approval.working_days import after, between, is_working, office_time
from flows.words import PRAGUE

days = some.dates(date(2020, 1, 1), date(2035, 12, 31))


def test_easter_christmas_and_weekends_are_free() -> None:
    free = (date(2026, 4, 3), date(2026, 4, 6), date(2026, 12, 24), date(2026, 11, 17), date(2026, 11, 22))
    assert not any(is_working(day) for day in free)
    assert is_working(date(2026, 4, 7))


@pytest.mark.parametrize(
    ("opened", "days", "due"),
    [
        (datetime(2026, 11, 23, 14, 4), 3, datetime(2026, 11, 26, 16, 0)),
        (datetime(2026, 11, 27, 9, 0), 1, datetime(2026, 11, 30, 16, 0)),
        (datetime(2026, 4, 2, 9, 0), 1, datetime(2026, 4, 7, 16, 0)),  # Good Friday, weekend, Easter Monday
        (datetime(2026, 12, 23, 9, 0), 2, datetime(2026, 12, 29, 16, 0)),
        (datetime(2026, 12, 31, 15, 59), 1, datetime(2027, 1, 4, 16, 0)),  # New Year on a Friday, weekend
        (datetime(2027, 3, 25, 9, 0), 1, datetime(2027, 3, 30, 16, 0)),  # Easter 2027 falls on the change of the clock
        (datetime(2026, 3, 28, 3, 30), 1, datetime(2026, 3, 30, 16, 0)),  # filed in the night before the clock goes forward
        (datetime(2026, 10, 25, 2, 30), 1, datetime(2026, 10, 26, 16, 0)),  # filed in the hour that comes twice
        (datetime(2026, 10, 24, 23, 59), 3, datetime(2026, 10, 29, 16, 0)),  # over the 28th of October
    ],
)
def test_the_due_time_is_the_end_of_the_last_working_day(opened: datetime, days: int, due: datetime) -> None:
    assert after(opened.replace(tzinfo=PRAGUE), days) == due.replace(tzinfo=PRAGUE)


@pytest.mark.parametrize(
    ("opened", "hour"),
    [(date(2026, 3, 27), 14), (date(2026, 10, 23), 15), (date(2027, 3, 25), 14), (date(2027, 10, 22), 14), (date(2027, 10, 29), 15)],
)
def test_the_hour_on_the_wall_stays_across_both_changes_of_the_clock(opened: date, hour: int) -> None:
    due = after(datetime(opened.year, opened.month, opened.day, 12, tzinfo=PRAGUE), 1)
    assert (due.hour, due.astimezone(UTC).hour) == (16, hour)


def test_a_request_filed_after_midnight_in_prague_counts_from_that_day() -> None:
    assert after(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), 1).date() == date(2026, 11, 25)


def test_the_days_left_count_down_to_zero_and_then_below() -> None:
    due = date(2026, 11, 26)
    assert [between(date(2026, 11, day), due) for day in (20, 23, 26, 27, 30)] == [4, 3, 0, -1, -2]


@given(days, some.integers(1, 20))
def test_so_many_working_days_later_there_are_so_many_left(day: date, n: int) -> None:
    opened = datetime(day.year, day.month, day.day, 12, tzinfo=PRAGUE)
    assert between(day, after(opened, n).date()) == n


@given(days, days, some.sets(days, max_size=5))
def test_the_days_between_are_those_that_a_calendar_counts_one_by_one(one: date, other: date, closed: set[date]) -> None:
    first, last = sorted((one, other))
    counted = sum(is_working(first + timedelta(days=n), closed) for n in range(1, (last - first).days + 1))
    assert (between(first, last, closed), between(last, first, closed)) == (counted, -counted)


@given(days, some.integers(1, 20))
def test_a_due_day_is_a_working_day(day: date, n: int) -> None:
    due = after(datetime(day.year, day.month, day.day, 12, tzinfo=PRAGUE), n)
    assert is_working(due.date())
    assert due - timedelta(days=60) < datetime(day.year, day.month, day.day, 12, tzinfo=PRAGUE)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PRAGUE)


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-11-23 09:00", "2026-11-23 15:30", 6.5),
        ("2026-11-23 06:00", "2026-11-23 22:00", 8),
        ("2026-11-23 17:00", "2026-11-24 07:59", 0),
        ("2026-11-27 12:00", "2026-11-30 12:00", 8),  # a weekend between
        ("2026-11-16 15:00", "2026-11-18 09:00", 2),  # 17 November between
        ("2026-03-27 15:00", "2026-03-30 09:00", 2),  # the clock goes forward between
        ("2026-10-23 15:00", "2026-10-26 09:00", 2),  # and back
        ("2027-03-25 15:00", "2027-03-30 09:00", 2),  # Easter and the change of the clock at once
        ("2026-12-31 15:00", "2027-01-04 09:00", 2),
        ("2026-11-24 09:00", "2026-11-23 09:00", 0),
    ],
)
def test_only_office_hours_count(since: str, until: str, hours: float) -> None:
    assert office_time(at(since), at(until)) == timedelta(hours=hours)


def test_a_closed_day_has_no_office_hours_and_no_due_time() -> None:
    closed = {date(2026, 11, 24)}
    assert office_time(at("2026-11-23 15:00"), at("2026-11-25 09:00"), closed) == timedelta(hours=2)
    assert after(at("2026-11-23 15:00"), 1, closed) == at("2026-11-25 16:00")
    assert between(date(2026, 11, 23), date(2026, 11, 25), closed) == 1


def test_the_share_grows_in_the_office_and_stands_at_night() -> None:
    opened, due_at = at("2026-11-23 08:00"), at("2026-11-24 16:00")
    seen = [
        due.share(opened, due_at, at(f"2026-11-{moment}"))
        for moment in ("23 08:00", "23 12:00", "23 16:00", "24 07:00", "24 12:00", "24 16:00")
    ]
    assert seen == [0, 25, 50, 50, 75, 100]


def test_days_that_were_closed_later_remind_nobody_before_the_due_time() -> None:
    opened, due_at = at("2026-11-23 17:00"), at("2026-11-24 16:00")
    closed = {date(2026, 11, 24)}
    assert [due.share(opened, due_at, now, closed) for now in (at("2026-11-24 12:00"), due_at)] == [0, 100]


moments = some.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=some.just(PRAGUE))


@given(moments, moments, moments)
def test_office_time_is_never_negative_and_adds_up(one: datetime, two: datetime, three: datetime) -> None:
    first, second, third = sorted((one, two, three), key=lambda moment: moment.astimezone(UTC))
    second = first + (second - first) % timedelta(days=40)
    third = second + (third - second) % timedelta(days=40)
    whole = office_time(first, third)
    assert whole == office_time(first, second) + office_time(second, third)
    assert timedelta() <= whole <= third.replace(tzinfo=None) - first.replace(tzinfo=None)


@given(moments, some.integers(1, 20), some.sets(some.integers(1, 30), max_size=8))
def test_a_due_time_has_so_many_whole_office_days_whatever_is_closed(opened: datetime, n: int, shut: set[int]) -> None:
    closed = {opened.date() + timedelta(days=each) for each in shut}
    due_at = after(opened, n, closed)
    assert due_at.date() not in closed
    assert (due_at.hour, due_at.minute) == (16, 0)
    evening = opened.replace(hour=23, minute=0, second=0, microsecond=0)
    assert office_time(evening, due_at, closed) == timedelta(hours=8 * n)
    assert due.share(opened, due_at, opened, closed) == 0


@given(moments, some.integers(1, 10), some.integers(0, 100), some.integers(0, 100))
def test_the_share_never_shrinks(opened: datetime, n: int, one: int, other: int) -> None:
    due_at = after(opened, n)
    early, late = sorted((opened + (due_at - opened) * one / 100, opened + (due_at - opened) * other / 100))
    assert 0 <= due.share(opened, due_at, early) <= due.share(opened, due_at, late) <= 100
