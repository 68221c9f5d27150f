"""Czech working days: Monday to Friday without the public holidays of Act 245/2000 Coll., Easter included (package `holidays`)."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import accumulate

from holidays import HolidayBase, country_holidays

from flows.words import PRAGUE

START_OF_DAY, END_OF_DAY = time(8, 0), time(16, 0)  # when an office opens and closes, by the clock on the wall


@cache
def _public() -> HolidayBase:
    return country_holidays("CZ")  # fills in a year when it is first asked for


def is_working(day: date, closed: Collection[date] = ()) -> bool:
    """`closed`: days on which an organisation itself does not work."""
    return day.weekday() < 5 and day not in _public() and day not in closed


def between(today: date, due: date, closed: Collection[date] = ()) -> int:
    """Working days from today to the due day: 0 = today, negative = late by so many."""
    if due < today:
        return -between(due, today, closed)
    whole_years = sum(_running(year)[-1] for year in range(today.year, due.year))
    open_days = whole_years + _running(due.year)[due.timetuple().tm_yday - 1] - _running(today.year)[today.timetuple().tm_yday - 1]
    return open_days - sum(today < day <= due and is_working(day) for day in set(closed))


@cache
def _running(year: int) -> tuple[int, ...]:
    """Working days of the year up to each of its days. A list has two counts a row, so what waits for months must not cost its days."""
    first, length = date(year, 1, 1), (date(year, 12, 31) - date(year, 1, 1)).days + 1
    return tuple(accumulate(int(is_working(first + timedelta(days=n))) for n in range(length)))


def after(opened: datetime, days: int, closed: Collection[date] = ()) -> datetime:
    """The end of the office hours of the `days`-th working day after the one in which it was opened, in Prague.

    The hour is that of the wall clock, so a due time keeps it across both changes of the clock.
    """
    day = opened.astimezone(PRAGUE).date()
    while days:
        day += timedelta(days=1)
        days -= is_working(day, closed)
    return datetime.combine(day, END_OF_DAY, PRAGUE)


def office_time(since: datetime, until: datetime, closed: Collection[date] = ()) -> timedelta:
    """How many office hours lie between two moments: nights, weekends and free days count nothing, so nobody is reminded of a weekend.

    Counted on the clock of the wall; both changes of the clock fall into a night, outside of office hours.
    """
    begins, ends = (moment.astimezone(PRAGUE).replace(tzinfo=None) for moment in (since, until))
    whole, day = timedelta(), begins.date()
    while day <= ends.date():
        if is_working(day, closed):
            opens, closes = datetime.combine(day, START_OF_DAY), datetime.combine(day, END_OF_DAY)
            whole += max(timedelta(), min(ends, closes) - max(begins, opens))
        day += timedelta(days=1)
    return whole
