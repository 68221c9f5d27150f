"""One language on one page: nothing Czech stays in the English portal, nothing English in the Czech one."""

import re
from functools import cache
from html.parser import HTMLParser

import pytest
from babel.messages.pofile import read_po

from flows.texts import templates_root
from tests.database import Database
from tests.journeys.addresses import Visit, visits
from tests.journeys.conftest import Open
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene

pytestmark = pytest.mark.servers
SPOKEN = ("aria-label", "title", "placeholder", "alt", "content")  # attributes that a person hears or reads
CZECH_LETTER = re.compile(r"\w*[ěščřžýáíéúůďťňĚŠČŘŽÝÁÍÉÚŮĎŤŇ]\w*")
NAME = "Nástup"  # of the portal, in every language
INITIALS = re.compile(r"[^\W\d_a-z]{1,2}")
LETTERS = 3  # a text with fewer letters of its own ("%(n)s of %(of)s" has two) says nothing about a language


class Spoken(HTMLParser):
    """The texts of a page, one by one, except those that say themselves which language they are in."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        foreign = "lang" in told and tag != "html"
        if tag not in ("meta", "link", "input", "br", "hr", "img", "use", "path"):
            self.open.append((tag, foreign))
        if not foreign and tag != "meta":
            self.texts += [_plain(told[name]) for name in SPOKEN if told.get(name)]

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        quiet = any(tag in ("script", "style") or foreign for tag, foreign in self.open)
        if not quiet and (text := _plain(data)):
            self.texts.append(text)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ")).strip()


@cache
def catalog() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """Every sentence of the portal in English and in Czech, as patterns: `%(name)s` stands for anything."""
    with (templates_root() / "locale" / "cs" / "LC_MESSAGES" / "nastup.po").open("rb") as file:
        messages = [message for message in read_po(file, locale="cs") if message.id]
    found: list[tuple[re.Pattern[str], re.Pattern[str]]] = []
    for message in messages:
        english = message.id if isinstance(message.id, tuple | list) else (message.id,)
        czech = message.string if isinstance(message.string, tuple | list) else (message.string,)
        found.append((_pattern(*english), _pattern(*czech)))
    return found


def _pattern(*forms: str) -> re.Pattern[str]:
    return re.compile("|".join(re.sub(r"%\\\(\w+\\\)s|%\(\w+\)s", ".+?", re.escape(_plain(form))) for form in forms))


def _says_something(pattern: re.Pattern[str]) -> bool:
    return len(re.findall(r"[^\W\d_]", pattern.pattern.replace(".+?", ""))) > LETTERS


def left_over(html: str, *, of: str) -> list[str]:
    """Texts of the page that are a sentence of the catalog in the wrong language."""
    return [text for text in Spoken(html).texts if _is_of(text, of)]


@cache
def _is_of(text: str, language: str) -> bool:
    for english, czech in catalog():
        other, own = (czech, english) if language == "cs" else (english, czech)
        if text != NAME and _says_something(other) and other.fullmatch(text) and not own.fullmatch(text):
            return True
    return False


def written_by_people(database: Database) -> set[str]:
    """Every word with a Czech letter that somebody typed: those may stand on an English page."""
    with database.superuser() as db:
        tables = [name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        texts = [str(row) for name in tables for row in db.execute(f"SELECT t::text FROM {name} t".encode())]
    return {word for text in texts for word in CZECH_LETTER.findall(text)} | {NAME, "Moravskoslezský"}


def everything(scene: Scene) -> dict[str, list[Visit]]:
    found: dict[str, list[Visit]] = {}
    for visit in visits(scene):
        found.setdefault(visit.who, []).append(visit)
    return found


def test_an_english_page_has_no_czech_word_of_ours(scene: Scene, portal: Portal) -> None:
    typed, wrong = written_by_people(portal.database), dict[str, object]()
    for who, addresses in everything(scene).items():
        with portal.client(who, "en") as browser:
            for visit in addresses:
                page = browser.get(visit.path).text
                assert '<html lang="en"' in page
                words = {word for text in Spoken(page).texts for word in CZECH_LETTER.findall(text) if not INITIALS.fullmatch(word)} - typed
                if found := sorted(words) + left_over(page, of="cs"):
                    wrong[str(visit)] = found
    assert wrong == {}, wrong


def test_a_czech_page_has_no_english_sentence(scene: Scene, portal: Portal) -> None:
    wrong: dict[str, object] = {}
    for who, addresses in everything(scene).items():
        with portal.client(who, "cs") as browser:
            for visit in addresses:
                page = browser.get(visit.path).text
                assert '<html lang="cs"' in page
                if found := left_over(page, of="en"):
                    wrong[str(visit)] = found
    assert wrong == {}, wrong


@pytest.mark.browser
def test_the_switch_changes_the_language_and_stays_on_the_page(scene: Scene, portal: Portal, opened: Open) -> None:
    person = opened("director")
    address = f"{portal.address}/requests/{scene.numbers['waiting']}"
    person.page.goto(address)
    assert person.page.locator("html").get_attribute("lang") == "cs"
    person.page.get_by_role("button", name="English").click()
    person.page.wait_for_load_state()
    assert (person.page.locator("html").get_attribute("lang"), person.page.url) == ("en", address)
    person.page.goto(f"{portal.address}/people")
    assert person.page.locator("html").get_attribute("lang") == "en"
    assert person.said == []
