"""A sentence for a person, not yet in a language: an English msgid and its parameters.

Errors, attempts and stages store sentences; they are put into words for whoever reads them (Czech first). `say` is a keyword of the
extraction, so its first argument is a plain literal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

JsonValue = str | int | float | bool | None


@dataclass(frozen=True)
class Sentence:
    msgid: str
    params: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def render(self, gettext: Callable[[str], str]) -> str:
        """The sentence in the language of `gettext`. A translation with a wrong placeholder falls back to the msgid."""
        return gettext(self.msgid) % self.params if self.params else gettext(self.msgid)

    def as_json(self) -> dict[str, Any]:
        """{"msgid": ..., "params": {...}}: how rows keep it."""
        return {"msgid": self.msgid, "params": dict(self.params)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Sentence | None":
        return cls(stored["msgid"], stored.get("params", {})) if stored else None

    def __str__(self) -> str:
        return self.render(lambda text: text)


def say(msgid: str, **params: JsonValue) -> Sentence:
    """A sentence of the catalog: `say("The name %(name)s is taken.", name=name)`."""
    return Sentence(msgid, params)
