"""What an agent wishes by itself once a night."""

from collections.abc import Callable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flows.connectors.postgres import Database

PRAGUE = ZoneInfo("Europe/Prague")


class Nightly:
    """Calls `wish(db, day, moment)` once a day after that time; also later, when the agent was away at that moment.

    Several agents, and the same one after a restart, may call it for the same day: the wish itself must bear that.
    """

    def __init__(self, at: time, wish: Callable[[Database, date, datetime], None]) -> None:
        self._at, self._wish = at, wish
        self._last: date | None = None

    def __call__(self, db: Database) -> None:
        now = datetime.now(PRAGUE)
        if now.time() >= self._at and self._last != now.date():
            self._wish(db, now.date(), datetime.combine(now.date(), self._at, PRAGUE))
            self._last = now.date()
