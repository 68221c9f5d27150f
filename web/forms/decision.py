"""The form of a decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.approval.decide import Verdict
from flows.approval.refusals import FormProblems
from flows.sentence import Sentence, say

FIELDS = frozenset({"plan_hash", "version", "stage", "decision", "reason"})


@dataclass
class DecisionForm:
    decision: str = ""
    reason: str = ""
    plan_hash: str = ""
    version: int = 0
    errors: dict[str, Sentence] = field(default_factory=dict[str, Sentence])

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "DecisionForm":
        version = typed.get("version", "")
        form = cls(typed.get("decision", ""), typed.get("reason", "").strip(), typed.get("plan_hash", ""))
        form.version = int(version) if version.isascii() and version.isdigit() and len(version) < 6 else 0
        if set(typed) - FIELDS:
            form.errors[""] = say("The form came with a field that does not belong to it. Open the page again and send its own form.")
        return form

    def verdict(self) -> Verdict:
        """Raises FormProblems when nothing was chosen."""
        if self.errors:
            raise FormProblems(self.errors)
        if self.decision == "approve":
            return Verdict("approve", self.plan_hash, self.reason)
        if self.decision == "refuse":
            return Verdict("refuse", self.plan_hash, self.reason)
        raise FormProblems({"decision": say("Choose whether you approve or refuse.")})
