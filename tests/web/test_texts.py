"""Every text that a person may see stands in the Czech catalog, whole and with the same values."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from flows import texts

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "templates" / "locale"
VALUE = re.compile(r"%\((\w+)\)[sd]")
Text = str | tuple[str, ...]


@cache
def in_sources() -> frozenset[Text]:
    """The texts of all programs and templates, as templates/locale/babel.cfg finds them."""
    with (LOCALE / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, methods, options, keywords=DEFAULT_KEYWORDS | {"say": None}, directory_filter=_of_ours)
    return frozenset(text for _, _, text, _, _ in found)


def _of_ours(path: str | Path) -> bool:
    return not Path(path).name.startswith((".", "_")) and Path(path).name != "tests"


@cache
def czech() -> Catalog:
    with (LOCALE / "cs" / "LC_MESSAGES" / "nastup.po").open("rb") as file:
        return read_po(file, locale="cs")


def translated() -> Iterator[Message]:
    return (message for message in czech() if message.id)


def test_every_text_of_the_sources_is_in_the_czech_catalog() -> None:
    assert sorted(map(str, in_sources() - {message.id for message in translated()})) == []


def test_the_catalog_keeps_nothing_that_no_source_says_any_more() -> None:
    assert sorted(map(str, {message.id for message in translated()} - in_sources())) == []


def test_every_translation_is_written_in_all_its_forms() -> None:
    unfinished = [message.id for message in translated() if message.fuzzy or not all(_forms(message))]
    assert unfinished == []


def test_a_translation_says_the_same_values_as_its_original() -> None:
    wrong = [
        (message.id, form)
        for message in translated()
        for form in _forms(message)
        if set(VALUE.findall(form)) != set(VALUE.findall(message.id if isinstance(message.id, str) else message.id[1]))
    ]
    assert wrong == []


def test_a_plural_has_the_three_czech_forms() -> None:
    assert czech().num_plurals == 3
    assert {len(_forms(message)) for message in translated() if message.pluralizable} == {3}


def test_five_things_are_counted_the_czech_way() -> None:
    """The header says how; it was lost once, and every number above four read like three."""
    words = texts.catalog("cs")
    assert [words.ngettext("%(num)s request shown", "%(num)s requests shown", n) for n in (1, 3, 5)] == [
        "Zobrazena %(num)s žádost",
        "Zobrazeny %(num)s žádosti",
        "Zobrazeno %(num)s žádostí",
    ]


@pytest.mark.parametrize("prefix", ["v", "z", "k", "s", "u", "o", "a", "i"])
def test_a_preposition_is_never_left_in_front_of_a_date_that_would_bend(prefix: str) -> None:
    """Dates and names come in the nominative, so the Czech sentence must not need another case: it puts a colon before them."""
    bending = re.compile(rf"\b{prefix} %\((day|who|holder|group|step)\)s", re.IGNORECASE)
    assert [form for message in translated() for form in _forms(message) if bending.search(form)] == []


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def test_a_director_may_be_a_woman() -> None:
    """Named or addressed, in the catalog and on Keycloak's pages: ředitel/ka, vedení; never one form alone."""
    theme = (ROOT / "infra" / "keycloak_theme").rglob("messages_cs.properties")
    said = [form for message in translated() for form in _forms(message)] + [
        line for file in theme for line in file.read_text().splitlines()
    ]
    assert [words for words in said if re.search(r"ředitel(|e|i|em|ka|ky|ce|kou)\b(?!/)", words, re.IGNORECASE)] == []
