"""Every page of the portal as a person sees it: on a telephone and a computer, light and dark, in both languages, by keyboard."""

from pathlib import Path

import pytest

from tests.journeys.addresses import NO_PAGES, Visit, pages, refusals, routes
from tests.journeys.chromium import objections
from tests.journeys.conftest import Open
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.servers]
PAGES = sorted(set(routes("GET")) - NO_PAGES)


def test_no_page_is_forgotten_here(scene: Scene) -> None:
    assert set(pages(scene)) == set(PAGES)
    assert set(routes("GET")) >= NO_PAGES


@pytest.mark.parametrize("route", [*PAGES, "a refusal"])
def test_nothing_is_wrong_with_any_page(route: str, scene: Scene, portal: Portal, opened: Open, pictures: Path | None) -> None:
    """axe finds nothing, nothing sticks out of a telephone's screen, and the console stays silent (it would tell of our CSP, too)."""
    wrong: list[str] = []
    of_route = pages(scene).get(route) or refusals(scene)
    for who in sorted({visit.who for visit in of_route}):
        person = opened(who)
        for visit in (one for one in of_route if one.who == who):
            answer = person.page.goto(portal.address + visit.path)
            assert answer is not None
            assert answer.status == visit.status, str(visit)
            wrong += [f"{visit}: console: {each}" for each in person.said]  # before axe, which writes styles that our CSP refuses
            wrong += [f"{visit}: {each}" for each in objections(person.page, pictures, _name(visit, scene))]
            person.said.clear()
    assert wrong == [], "\n".join(wrong)


def _name(visit: Visit, scene: Scene) -> str:
    """A picture's name: `director-requests-waiting` and not a number that is another one tomorrow."""
    path = visit.path
    for kind in (scene.numbers, scene.people, scene.drafts):
        for key, value in kind.items():
            path = path.replace(value, key)
    return f"{visit.who or 'nobody'}{path}".replace("/", "-").replace("?", "-")
