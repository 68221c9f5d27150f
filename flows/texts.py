"""Templates and catalogs, for pages and letters alike: one Jinja environment per language.

In the wheel they are data of this package (flows/templates, catalogs compiled); in a checkout they stand at the top of the repository and
the catalog is compiled in memory.
"""

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from flows.words import Words

HERE = Path(__file__).parent
LANGUAGES = ("cs", "en")
DOMAIN = "nastup"


def templates_root() -> Path:
    return inside if (inside := HERE / "templates").is_dir() else HERE.parent / "templates"


@cache
def catalog(language: str) -> gettext.NullTranslations:
    """The words of a language; English is the language of the msgids and has no catalog."""
    place = templates_root() / "locale" / language / "LC_MESSAGES"
    compiled, source = place / f"{DOMAIN}.mo", place / f"{DOMAIN}.po"
    if compiled.exists():
        with compiled.open("rb") as file:
            return gettext.GNUTranslations(file)
    if source.exists():
        memory = BytesIO()
        with source.open("rb") as file:
            write_mo(memory, read_po(file, locale=language))
        memory.seek(0)
        return gettext.GNUTranslations(memory)
    return gettext.NullTranslations()


@cache
def environment(language: str) -> Environment:
    """The templates in one language. A name that the context lacks is an error, never an empty space."""
    made = Environment(
        loader=FileSystemLoader(templates_root()),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    translations = catalog(language)
    made.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
    words = Words(language, translations)
    made.filters.update(words.filters())
    made.globals["sentence"] = words.sentence  # pyright: ignore[reportArgumentType] - the stub knows Jinja's own globals only
    return made
