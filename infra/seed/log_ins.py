"""Who may log in to the demo, and how."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from infra.seed.cast import cast
from infra.seed.credentials import known
from infra.state import State

REGION = "the region"
COLUMNS = ("name", "role", "organisation", "user_name", "password", "code", "secret")
HEADINGS = ("who", "role", "organisation", "user name", "password", "code", "secret of the code")


@dataclass(frozen=True)
class LogIn:
    """`code` is the six digits of this half minute, made of `secret` (base32, for an authenticator or `oathtool --totp -b SECRET`)."""

    name: str
    role: str
    organisation: str
    user_name: str
    address: str
    password: str
    code: str
    secret: str


def log_ins(state: State) -> list[LogIn]:
    """The cast with their log-ins; empty before the first seed."""
    credentials = known(state)
    return [
        LogIn(
            name=member.name,
            role=member.role,
            organisation=member.place.name if member.place else REGION,
            user_name=member.user_name,
            address=member.address,
            password=credentials[member.user_name].password,
            code=credentials[member.user_name].totp.now(),
            secret=credentials[member.user_name].secret,
        )
        for member in cast().members
        if member.user_name in credentials
    ]


def table(people: Sequence[LogIn]) -> str:
    """The same for a person at a terminal."""
    rows = [HEADINGS, *([str(getattr(person, column)) for column in COLUMNS] for person in people)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    left = 30 - int(time.time()) % 30
    return "\n".join([*lines, "", f"The codes change in {left} s and each is good for one log-in."])
