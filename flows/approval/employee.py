"""What the form of a new employee asks, and the rules that what was typed has to meet.

Texts are kept in NFC on one line; whatever they contain is text for every page and letter (markup is escaped there, not here).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email

from flows.approval.names import plain_letters
from flows.approval.written import line_problem, name_problem, tidy
from flows.sentence import Sentence, say

CONTRACTS = ("employment", "agreement", "external")
ACCESS = ("standard", "privileged")
EARLIEST_START = timedelta(days=30)  # before today
LATEST_START = timedelta(days=2 * 365)  # after today: further away is a typing error
LONGEST_NAME, LONGEST_TITLE, LONGEST_NUMBER, LONGEST_LINE = 100, 40, 30, 150  # characters

FILL_IN = say("Fill this in.")


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
    access: str = "standard"  # standard | privileged: administers systems or data of others

    @property
    def privileged(self) -> bool:
        return self.access == "privileged"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"start": self.start.isoformat(), "end": self.end.isoformat() if self.end else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "NewEmployee":
        """The kept answers; other keys of the stored content (the mark of the private address) are not answers."""
        mine: dict[str, Any] = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}  # older ones lack `access`
        mine["start"] = date.fromisoformat(mine["start"])
        mine["end"] = date.fromisoformat(mine["end"]) if mine["end"] else None
        return cls(**mine)


FIELDS = (  # in the order of the form, which is that of every list of answers, mistakes and comments
    "given_name",
    "family_name",
    "personal_number",
    "title_before",
    "title_after",
    "position",
    "contract",
    "start",
    "end",
    "manager",
    "access",
    "quota_gb",
)


def read_employee(typed: Mapping[str, str], today: date, quota_maximum: int) -> tuple[NewEmployee | None, dict[str, Sentence]]:
    """The employee, or a sentence for each field that is wrong. `quota_maximum` in GB: what the mail servers can hold."""
    reading = _Reading(typed)
    start = reading.day("start", required=True)
    end = reading.day("end", required=False)
    if start and (problem := _start_problem(start, today)):
        reading.problems["start"] = problem
    if start and end and end < start:
        reading.problems["end"] = say("The end is before the start. Check both days.")
    given, family = reading.name("given_name"), reading.name("family_name")
    texts = {
        "title_before": reading.line("title_before", LONGEST_TITLE),
        "title_after": reading.line("title_after", LONGEST_TITLE),
        "personal_number": reading.personal_number(),
        "contract": reading.choice("contract", CONTRACTS),
        "position": reading.line("position", LONGEST_LINE, required=True),
        "manager": reading.line("manager", LONGEST_LINE),
        "access": reading.choice("access", ACCESS, otherwise="standard"),
    }
    quota = reading.quota(quota_maximum)
    if reading.problems or start is None:
        return None, reading.problems
    return NewEmployee(given, family, **texts, start=start, end=end, quota_gb=quota), {}


def read_private_address(text: str, our_domains: Collection[str]) -> tuple[str | None, Sentence | None]:
    """The address for the activation link: deliverable outside our domains, because the person cannot read mail inside them yet."""
    text = tidy(text)
    if not text:
        return None, FILL_IN
    try:
        address = validate_email(text, allow_smtputf8=False, check_deliverability=False)
    except EmailNotValidError:
        return None, say("This is not a complete e-mail address. It looks like name@example.com.")
    domain = address.ascii_domain.lower()
    if any(domain == ours or domain.endswith("." + ours) for ours in our_domains):
        return None, say(
            "This address is inside an organisation of the region. The link needs a private address that the person can read already."
        )
    return address.normalized, None


class _Reading:
    """One pass over the form: an answer, or a sentence in `problems`."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed, self.problems = typed, dict[str, Sentence]()

    def line(self, field: str, most: int, *, required: bool = False) -> str:
        text = tidy(self.typed.get(field, ""))
        if problem := line_problem(text, most) or (FILL_IN if required and not text else None):
            self.problems[field] = problem
        return text

    def name(self, field: str) -> str:
        text = tidy(self.typed.get(field, ""))
        problem = name_problem(text, LONGEST_NAME) if text else FILL_IN
        if problem is None and not plain_letters(text):
            problem = say("No user name can be made of this name. Write it in Latin letters.")
        if problem:
            self.problems[field] = problem
        return text

    def personal_number(self) -> str:
        text = self.line("personal_number", LONGEST_NUMBER, required=True)
        if "personal_number" not in self.problems:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./-]*", text):
                self.problems["personal_number"] = say("A personal number has letters, digits, dots, hyphens and slashes only.")
            elif _is_birth_number(text):
                self.problems["personal_number"] = say(
                    "This looks like a birth number, which is never kept here. Write the number your organisation gave the person."
                )
        return text

    def choice(self, field: str, offered: Collection[str], otherwise: str = "") -> str:
        """`otherwise`: what it is when nothing was answered, as in a draft from before the question was asked."""
        if (text := self.typed.get(field, "") or otherwise) not in offered:
            self.problems[field] = say("Choose one of the answers.")
        return text

    def day(self, field: str, *, required: bool) -> date | None:
        text = tidy(self.typed.get(field, ""))
        if not text:
            if required:
                self.problems[field] = FILL_IN
            return None
        if (found := _day(text)) is None:
            self.problems[field] = say("This is not a day of the calendar. Write it like 1. 12. 2026.")
        return found

    def quota(self, maximum: int) -> int:
        text = tidy(self.typed.get("quota_gb", ""))
        if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
            self.problems["quota_gb"] = say("Write the size as a whole number of gigabytes, at least 1.")
            return 0
        if int(text) > maximum:
            self.problems["quota_gb"] = say("The mail servers can hold a mailbox of at most %(most)s GB.", most=maximum)
        return int(text)


def _start_problem(start: date, today: date) -> Sentence | None:
    if start < today - EARLIEST_START:
        return say("The first day is more than 30 days ago. Check it, or ask the region's IT.")
    if start > today + LATEST_START:
        return say("The first day is more than two years ahead. Check the year.")
    return None


def _day(text: str) -> date | None:
    """2026-12-01 (what a date field sends) or 1. 12. 2026 (what a Czech types)."""
    iso = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text)
    czech = re.fullmatch(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})", text)
    if not (iso or czech):
        return None
    year, month, day = (iso or czech).groups() if iso else reversed(czech.groups())  # pyright: ignore[reportOptionalMemberAccess]
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _is_birth_number(text: str) -> bool:
    """YYMMDD/XXXX, or ten digits that pass its check (Act 133/2000: divisible by 11, month + 0, 20, 50 or 70)."""
    digits = text.replace("/", "")
    if not re.fullmatch(r"[0-9]{6}/?[0-9]{3,4}", text) or not (len(digits) == 10 or "/" in text):
        return False
    month, day = int(digits[2:4]) % 50 % 20, int(digits[4:6])
    return 1 <= month <= 12 and 1 <= day <= 31 and ("/" in text or int(digits) % 11 == 0)
