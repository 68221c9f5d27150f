"""What was chosen in the queue to be decided together: in the address while it is looked at, in the form when it is decided."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from flows.approval.refusals import FormProblems, NotFound
from flows.approval.together import MOST, Chosen, Common
from flows.sentence import Sentence, say

ITEM_SHAPE = re.compile(r"([PO]-[0-9]{4}-[0-9]{1,9})\.([0-9]{1,3})")
SEEN_SHAPE = re.compile(r"([0-9]{1,5}):([0-9a-f]{0,64})")
ITEM, HERE = "item", "item-"


def chosen_in(request: Request) -> list[Chosen]:
    """?item=P-2026-0042.1&item=... Raises NotFound for anything else, so a typed address says no more than it should."""
    return [_named(item) for item in request.query_params.getlist(ITEM)[: MOST + 1]]


@dataclass
class TogetherForm:
    """One hidden field for each item: its name says which question, its value version and plan that were shown."""

    values: dict[str, str] = field(default_factory=lambda: {"decision": "", "reason": ""})
    chosen: list[Chosen] = field(default_factory=list[Chosen])
    errors: dict[str, Sentence] = field(default_factory=dict[str, Sentence])

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> "TogetherForm":
        form = cls({name: typed.get(name, "").strip() for name in ("decision", "reason")})
        form.chosen = [_named(name.removeprefix(HERE), value) for name, value in typed.items() if name.startswith(HERE)]
        return form

    def verdict(self) -> Common:
        """Raises FormProblems when nothing was chosen."""
        if (chosen := self.values["decision"]) not in ("approve", "return"):
            raise FormProblems({"decision": say("Choose whether you approve or return them.")})
        return chosen


def _named(item: str, seen: str = "0:") -> Chosen:
    which, about = ITEM_SHAPE.fullmatch(item), SEEN_SHAPE.fullmatch(seen)
    if which is None or about is None:
        raise NotFound
    return Chosen(which[1], int(which[2]), int(about[1]), about[2])
