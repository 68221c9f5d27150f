"""The forms of an absence and of a closed day: what was typed, kept as it was when something is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from flows.approval.absences import Told
from flows.sentence import Sentence

ABSENCE, CLOSED = ("group", "first", "last", "deputy"), ("day", "note")


@dataclass
class DaysForm:
    """Fields as texts. An unreadable day or person is one that is missing; the rules say so."""

    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys((*ABSENCE, *CLOSED), ""))
    errors: dict[str, Sentence] = field(default_factory=dict[str, Sentence])

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "DaysForm":
        return cls({name: typed.get(name, "").strip() for name in (*ABSENCE, *CLOSED)})

    def told(self) -> Told:
        return Told(self.values["group"], self.day("first"), self.day("last"), self._deputy())

    def day(self, name: str) -> date | None:
        try:
            return date.fromisoformat(self.values[name])
        except ValueError:
            return None

    def _deputy(self) -> UUID | None:
        """An unreadable one becomes somebody who does not exist, so it is refused and never taken for `nobody`."""
        try:
            return UUID(self.values["deputy"]) if self.values["deputy"] else None
        except ValueError:
            return UUID(int=0)
