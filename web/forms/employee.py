"""The form of a new employee: its fields as texts, and how complete its parts are. The rules are in flows.approval.employee."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from uuid import UUID, uuid4

from flows.approval.employee import ACCESS, CONTRACTS, FILL_IN, NewEmployee, read_employee, read_private_address
from flows.approval.employee import FIELDS as EMPLOYEE_FIELDS
from flows.sentence import Sentence, say

CONTROLS = frozenset({"form_key", "action"})
PARTS: Mapping[str, tuple[str, ...]] = {
    "person": ("given_name", "family_name", "personal_number", "title_before", "title_after"),
    "employment": ("organisation", "position", "contract", "start", "end", "manager", "access"),
    "mailbox": ("quota_gb",),
    "activation": ("private_email",),
}
FIELDS = tuple(name for fields in PARTS.values() for name in fields)  # in the order of the page
USUAL_GB = 10
Action = Literal["check", "save", "propose", "discard"]


@dataclass
class EmployeeForm:
    """What was typed, nothing lost. `key`: the same key again is the same draft."""

    values: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(FIELDS, "") | {"quota_gb": str(USUAL_GB), "contract": CONTRACTS[0], "access": ACCESS[0]}
    )
    errors: dict[str, Sentence] = field(default_factory=dict[str, Sentence])
    key: UUID = field(default_factory=uuid4)
    action: Action = "check"

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "EmployeeForm":
        form = cls({name: typed.get(name, "") for name in FIELDS})
        if set(typed) - set(FIELDS) - CONTROLS:  # never looked at, so never assigned; said, because our own page sends no such field
            form.errors[""] = say("The form came with a field that does not belong to it. Open the page again and send its own form.")
        try:
            form.key = UUID(typed.get("form_key", ""))
        except ValueError:
            form.errors[""] = say("The form came incomplete. Check it and send it again.")
        actions: dict[str, Action] = {"save": "save", "propose": "propose", "discard": "discard"}
        form.action = actions.get(typed.get("action", ""), "check")
        return form

    @property
    def employee_answers(self) -> dict[str, str]:
        return {name: self.values[name] for name in EMPLOYEE_FIELDS}

    @property
    def organisation(self) -> UUID | None:
        try:
            return UUID(self.values["organisation"])
        except ValueError:
            return None

    @property
    def names(self) -> tuple[str, str]:
        return self.values["given_name"], self.values["family_name"]

    def check(self, own: Collection[UUID], our_domains: Collection[str], today: date, quota_maximum: int) -> NewEmployee | None:
        """The employee, or None and a sentence for each field in `errors`. An organisation of somebody else is one that is not there."""
        employee, problems = read_employee(self.employee_answers, today, quota_maximum)
        self.errors |= problems
        if self.organisation not in own:
            self.errors["organisation"] = say("Choose one of your organisations.")
        if problem := read_private_address(self.values["private_email"], our_domains)[1]:
            self.errors["private_email"] = problem
        return None if self.errors else employee

    def parts(self, today: date, quota_maximum: int) -> dict[str, dict[str, Any]]:
        """How complete each part is: done, todo or error, with the number of fields left or wrong."""
        _, problems = read_employee(self.employee_answers, today, quota_maximum)
        if not self.values["private_email"].strip():
            problems["private_email"] = FILL_IN
        if self.organisation is None:
            problems["organisation"] = FILL_IN
        return {part: self._part(fields, problems) for part, fields in PARTS.items()}

    def _part(self, fields: tuple[str, ...], problems: Mapping[str, Sentence]) -> dict[str, Any]:
        wrong, left = (sum(name in those for name in fields) for those in (self.errors, problems))
        return {"status": "error" if wrong else "todo" if left else "done", "left": wrong or left}
