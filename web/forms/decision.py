"""The form of a decision. A return carries up to three comments, each at one field of the request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from flows.approval.decide import Verdict
from flows.approval.refusals import FormProblems
from flows.sentence import Sentence, say

COMMENTS = (1, 2, 3)  # as many as a person writes at once; the reason holds the rest
PAIRS = tuple((f"field_{n}", f"comment_{n}") for n in COMMENTS)
WORDS = ("decision", "reason", *(name for pair in PAIRS for name in pair))
FIELDS = frozenset({"plan_hash", "version", "stage", *WORDS})
VERDICTS: Mapping[str, Literal["approve", "refuse", "return", "opinion"]] = {
    "approve": "approve",
    "refuse": "refuse",
    "return": "return",
    "opinion": "opinion",
}


@dataclass
class DecisionForm:
    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(WORDS, ""))
    plan_hash: str = ""
    version: int = 0
    stage: int | None = None  # its position
    errors: dict[str, Sentence] = field(default_factory=dict[str, Sentence])

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "DecisionForm":
        form = cls({name: typed.get(name, "").strip() for name in WORDS}, typed.get("plan_hash", ""))
        form.version, form.stage = _number(typed.get("version", "")) or 0, _number(typed.get("stage", ""))
        if set(typed) - FIELDS:
            form.errors[""] = say("The form came with a field that does not belong to it. Open the page again and send its own form.")
        return form

    def verdict(self) -> Verdict:
        """Raises FormProblems when nothing was chosen, or when a comment stands at no field."""
        if self.values["decision"] not in VERDICTS:
            self.errors["decision"] = say("Choose whether you approve, return or refuse.")
        comments = self._comments() if self.values["decision"] == "return" else {}
        if self.errors:
            raise FormProblems(self.errors)
        return Verdict(VERDICTS[self.values["decision"]], self.plan_hash, self.values["reason"], comments)

    def _comments(self) -> dict[str, str]:
        """Two comments at one field become one, nothing is lost."""
        found: dict[str, str] = {}
        for where, words in PAIRS:
            if self.values[words] and not self.values[where]:
                self.errors[where] = say("Choose the field that the comment is about.")
            elif self.values[words]:
                name = self.values[where]
                found[name] = f"{found[name]}\n{self.values[words]}" if name in found else self.values[words]
        return found


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
