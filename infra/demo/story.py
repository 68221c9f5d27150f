"""Who the first employee is, and what the demo remembers of her between two starts (STATE/secrets/first_employee.json)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from infra.seed.cast import Member, cast
from infra.seed.credentials import Credentials
from infra.state import State, write

NAME = "Ing. Žofie Šťastná, Ph.D."
ORGANISATION = "gym-opava"
PRIVATE = "zofie.stastna@posta.example"


@dataclass(frozen=True)
class Story:
    """`number` once the request is filed; `password` and `seed` once she has set them; `seconds` of the first time, by step."""

    number: str = ""
    user_name: str = ""
    address: str = ""
    password: str = ""
    seed: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def credentials(self) -> Credentials | None:
        return Credentials(self.password, self.seed) if self.seed else None


def remembered(state: State) -> Story:
    file = state.path("secrets", "first_employee.json")
    return Story(**json.loads(file.read_text())) if file.exists() else Story()


def remember(state: State, story: Story, **new: Any) -> Story:
    """The story with what is new, written down."""
    story = replace(story, **new)
    write(state.path("secrets", "first_employee.json"), json.dumps(asdict(story), indent=2) + "\n")
    return story


def director() -> Member:
    return cast().one("director", ORGANISATION)


def approver() -> Member:
    return cast().one("region-it")


def today() -> date:
    return datetime.now(ZoneInfo("Europe/Prague")).date()


def answers() -> Mapping[str, str]:
    """What the director types into the form, by field."""
    return {
        "title_before": "Ing.",
        "given_name": "Žofie",
        "family_name": "Šťastná",
        "title_after": "Ph.D.",
        "personal_number": "1042",
        "contract": "employment",
        "position": "učitelka informatiky",
        "manager": director().name,
        "start": today().isoformat(),
        "end": "",
        "quota_gb": "10",
        "private_email": PRIVATE,
    }
