"""Pages and fragments as text, in the language of the reader."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from flows import texts
from flows.texts import LANGUAGES

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("auto", "light", "dark")


@cache
def environment(language: str) -> Environment:
    """The shared environment with the addresses of static files, which only pages know."""
    made = texts.environment(language).overlay()
    made.globals = made.globals | {"static": static}
    return made


def render(template: str, language: str, context: dict[str, Any]) -> str:
    """A page or a fragment as text. Raises jinja2.UndefinedError when a name of its context is missing."""
    return environment(language).get_template(template).render(context)


@cache
def static(path: str) -> str:
    """/static/<path>?v=<hash>: the address changes with the file, so browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()
    return f"/static/{path}?v={digest[:12]}"


def preferred_language(accepted: str, fallback: str) -> str:
    """The first of our languages in an Accept-Language header; Slovaks read Czech."""
    ranked: list[tuple[float, str]] = []
    for part in accepted.lower().split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            ranked.append((float(rest.strip().removeprefix("q=") or 1), tag[:2]))
        except ValueError:
            continue
    for _, tag in sorted(ranked, key=lambda each: -each[0]):
        if tag in LANGUAGES or tag == "sk":
            return "cs" if tag == "sk" else tag
    return fallback
