from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flows.approval.working_days import after, between, is_working
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
    ],
)
def test_the_due_time_is_the_end_of_the_last_working_day(opened: datetime, days: int, due: datetime) -> None:
    assert after(opened.replace(tzinfo=PRAGUE), days) == due.replace(tzinfo=PRAGUE)


@pytest.mark.parametrize(("opened", "hour"), [(date(2026, 3, 27), 14), (date(2026, 10, 23), 15)])
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


@given(days, some.integers(1, 20))
def test_a_due_day_is_a_working_day(day: date, n: int) -> None:
    due = after(datetime(day.year, day.month, day.day, 12, tzinfo=PRAGUE), n)
    assert is_working(due.date())
    assert due - timedelta(days=60) < datetime(day.year, day.month, day.day, 12, tzinfo=PRAGUE)
