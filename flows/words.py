"""Values put into words for the reader: days, moments, sizes. Times are those of Prague; nothing here knows a page.

Every filter answers "" for None, so that a page needs no condition around an empty value.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from gettext import NullTranslations
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from flows.sentence import Sentence

PRAGUE = ZoneInfo("Europe/Prague")
NBSP = "\u00a0"
MINUTE, HOUR, DAY = 60, 3600, 86400


class Words:
    """The filters of one language."""

    def __init__(self, language: str, translations: NullTranslations) -> None:
        self.language, self.gettext, self.ngettext = language, translations.gettext, translations.ngettext

    def filters(self) -> dict[str, Callable[..., str]]:
        named = (
            self.day,
            self.iso_day,
            self.weekday,
            self.moment,
            self.clock,
            self.hour,
            self.iso,
            self.gb,
            self.size,
            self.duration,
            self.number,
        )
        return {each.__name__: _empty_for_none(each) for each in named}

    def sentence(self, text: Sentence | str | None) -> str:
        """A TEXT in this language. Moments inside a stored sentence (ISO 8601) are said like all others."""
        if text is None or isinstance(text, str):
            return text or ""
        return Sentence(text.msgid, {name: self._parameter(value) for name, value in text.params.items()}).render(self.gettext)

    def _parameter(self, value: Any) -> Any:
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", value):
            return self.moment(datetime.fromisoformat(value))
        return value

    def day(self, value: date) -> str:
        return self._date(value, "d. M. y", "d MMM y")

    def iso_day(self, value: str) -> str:
        """A day as an answer keeps it: 2027-12-31."""
        return self.day(date.fromisoformat(value))

    def weekday(self, value: date) -> str:
        return self._date(value, "EEEE d. M. y", "EEEE d MMM y")

    def moment(self, value: datetime) -> str:
        """today 9:14, yesterday 15:02, 18. 11. 2026 9:41"""
        local = value.astimezone(PRAGUE)
        gone = datetime.now(PRAGUE).date() - local.date()
        clock = self.hour(local)
        if gone == timedelta(0):
            return self.gettext("today %(time)s") % {"time": clock}
        if gone == timedelta(days=1):
            return self.gettext("yesterday %(time)s") % {"time": clock}
        return f"{self.day(local)}{NBSP}{clock}"

    def clock(self, value: datetime) -> str:
        return format_time(value.astimezone(PRAGUE), "H:mm:ss", locale=self.language)

    def hour(self, value: datetime | time) -> str:
        return format_time(value.astimezone(PRAGUE) if isinstance(value, datetime) else value, "H:mm", locale=self.language)

    def iso(self, value: date) -> str:
        return value.astimezone(PRAGUE).isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()

    def gb(self, value: int) -> str:
        return f"{self.number(value)}{NBSP}GB"

    def size(self, value: int) -> str:
        """Bytes as B, kB or MB, decimal units as mail programs show them."""
        for unit, name in ((1_000_000, "MB"), (1000, "kB")):
            if value >= unit:
                return f"{format_decimal(round(value / unit, 1 if value < 10 * unit else 0), locale=self.language)}{NBSP}{name}"
        return f"{value}{NBSP}B"

    def duration(self, seconds: float) -> str:
        """less than 1 s; 6,4 s; 4 min 52 s; 4 h 52 min; 3 days"""
        if seconds < 1:
            return self.gettext("less than 1 s")
        if seconds < 10:
            return f"{format_decimal(round(seconds, 1), locale=self.language)}{NBSP}s"
        if seconds < HOUR:
            minutes, rest = divmod(round(seconds), MINUTE)
            return f"{minutes}{NBSP}min {rest}{NBSP}s" if minutes else f"{rest}{NBSP}s"
        if seconds < 2 * DAY:
            hours, rest = divmod(round(seconds) // MINUTE, 60)
            return f"{hours}{NBSP}h {rest}{NBSP}min"
        days = round(seconds / DAY)
        return self.ngettext("%(num)s day", "%(num)s days", days) % {"num": days}

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.language)

    def _date(self, value: date, czech: str, english: str) -> str:
        local = value.astimezone(PRAGUE).date() if isinstance(value, datetime) else value
        words = format_date(local, czech if self.language == "cs" else english, locale=self.language)
        return re.sub(r"(?<=[\d.]) ", NBSP, words)


def _empty_for_none(words: Callable[..., str]) -> Callable[..., str]:
    def filtered(value: Any) -> str:
        return "" if value is None else words(value)

    return filtered
