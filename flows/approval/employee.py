"""What the form of a new employee asks, once it has been read and found good."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class NewEmployee:
    """Answers about one employee. Never a birth number, a birth date or a home address; the private address is kept elsewhere."""

    given_name: str
    family_name: str
    title_before: str
    title_after: str
    personal_number: str
    contract: str  # employment | agreement | external
    position: str
    manager: str
    start: date
    end: date | None
    quota_gb: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"start": self.start.isoformat(), "end": self.end.isoformat() if self.end else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "NewEmployee":
        end = stored["end"]
        return cls(**stored | {"start": date.fromisoformat(stored["start"]), "end": date.fromisoformat(end) if end else None})
