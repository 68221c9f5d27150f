"""The eyes of these tests see: each of the checks that every page passes is shown something that it must object to."""

import pytest
from playwright.sync_api import Browser

from tests.journeys.chromium import Person, objections
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene
from tests.journeys.test_languages import left_over
from tests.journeys.test_reading import rows_of

BAD = """<!doctype html><html lang="cs"><title>x</title><main><h1>x</h1><p style="color: #aaa; background: #bbb">bledé</p>
<div style="width: 700px">široké</div><input></main>"""
DARK = "<style>@media (prefers-color-scheme: dark) { p { color: #222; background: #111 } }</style>"


@pytest.mark.browser
def test_a_bad_page_is_objected_to(chromium: Browser) -> None:
    person = Person(chromium)
    person.page.set_content(BAD)
    found = objections(person.page)
    person.close()
    assert {rule for rule in ("color-contrast", "label", "sticks out") if any(rule in one for one in found)} == {
        "color-contrast",
        "label",
        "sticks out",
    }
    assert not any(one.startswith("1280") and "sticks out" in one for one in found)


@pytest.mark.browser
def test_a_page_that_is_bad_in_the_dark_only_is_objected_to(chromium: Browser) -> None:
    person = Person(chromium)
    person.page.set_content(f'<!doctype html><html lang="cs"><title>x</title>{DARK}<main><h1>x</h1><p>tmavé</p></main>')
    found = objections(person.page)
    person.close()
    assert {one.split(":")[0] for one in found} == {"390 dark", "1280 dark"}


def test_a_word_of_the_other_language_is_seen() -> None:
    assert left_over("<p>Žádost čeká na schválení</p>", of="cs") == ["Žádost čeká na schválení"]
    assert left_over("<p>The request is waiting for approval</p>", of="en") == ["The request is waiting for approval"]
    assert left_over('<button aria-label="Zapsat rozhodnutí"></button>', of="cs") == ["Zapsat rozhodnutí"]
    assert left_over('<span lang="cs">Žádost čeká na schválení</span>', of="cs") == []


@pytest.mark.servers
def test_a_changed_row_is_seen_even_when_its_values_are_the_same(scene: Scene, portal: Portal) -> None:
    before = rows_of(portal.database)
    with portal.database.superuser() as db:
        db.execute("UPDATE person SET email = email WHERE given_name = 'Radek'")
    after = rows_of(portal.database)
    assert {name for name in before if before[name] != after[name]} == {"public.person"}
