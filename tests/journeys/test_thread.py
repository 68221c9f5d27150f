"""One employee through the real portal, Keycloak and servers, in a browser: with JavaScript, and the same without it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from infra.seed.cast import cast
from infra.seed.credentials import Credentials
from infra.state import State
from tests.journeys.chromium import Person, objections
from tests.journeys.installation import Installation, new_name
from tests.journeys.words import czech

pytestmark = [pytest.mark.browser, pytest.mark.servers]
DONE_WITHIN = 180_000  # milliseconds
DONE = "Hotovo"  # how every headline of a done request begins
DIRECTOR, APPROVER, STRANGER = cast().one("director", "gym-opava"), cast().one("region-it"), cast().one("director", "nem-karvina")
Somebody = Callable[..., Person]


@pytest.fixture(scope="package")
def installation(pictures: Path | None) -> Installation:
    return Installation(State.of_tests(), pictures)


@pytest.fixture
def somebody(chromium: Browser) -> Iterator[Somebody]:
    """Browsers of people who have not logged in."""
    people: list[Person] = []

    def open_(*, script: bool = True) -> Person:
        people.append(Person(chromium, script=script))
        return people[-1]

    yield open_
    for person in people:
        person.close()


def fill_form(page: Page, given: str, family: str, private: str) -> None:
    page.locator("#title_before").fill("Ing.")
    page.locator("#given_name").fill(given)
    page.locator("#family_name").fill(family)
    page.locator("#title_after").fill("Ph.D.")
    page.locator("#personal_number").fill(f"T{int(time.time() * 10) % 10**8}")
    page.locator("#position").fill("učitelka informatiky")
    page.locator("#start").fill(date.today().isoformat())
    page.locator("#private_email").fill(private)


def submit(page: Page) -> str:
    """Checks the answers, submits them, opens the page of the request. Answers its number."""
    page.get_by_role("button", name=czech("Continue to the check")).click()
    expect(page).to_have_url(re.compile("/check$"))
    page.locator("form[action$='/submit'] button").click()
    expect(page).to_have_url(re.compile("/submitted$"))
    number = re.search(r"P-\d{4}-\d{4,}", page.url)
    assert number
    page.locator(f"a[href='/requests/{number[0]}']").first.click()
    expect(page).to_have_url(re.compile(f"/requests/{number[0]}$"))
    return number[0]


def approve(page: Page, installation: Installation, number: str) -> None:
    page.goto(f"{installation.portal}/queue?q={number}")
    page.locator(f"a[href='/queue/{number}']").first.click()
    page.locator("#decision-approve").check()
    page.get_by_role("button", name=czech("Record the decision")).click()
    expect(page.get_by_text(czech("%(number)s approved.", number=number))).to_be_visible()


def private() -> str:
    return f"t{int(time.time() * 1000)}@posta.example"


def test_an_employee_with_javascript_while_the_director_watches(
    somebody: Somebody, installation: Installation, pictures: Path | None
) -> None:
    given, family = new_name()
    director, approver, newcomer = somebody(), somebody(), somebody()
    installation.log_in(director.page, DIRECTOR, look=True)
    director.page.goto(f"{installation.portal}/requests/new/employee")
    address = private()
    fill_form(director.page, given, family, address)
    director.page.locator("#private_email").press("Tab")
    expect(director.page.get_by_text(re.compile(r"ludmila\.\w+@gym-opava\.example"))).to_be_visible()
    number = submit(director.page)
    expect(director.page.locator("h1")).to_have_text(czech("The request is waiting for approval"))
    director.page.evaluate("() => { window.neverReloaded = true }")

    installation.log_in(approver.page, APPROVER)
    approve(approver.page, installation, number)

    expect(director.page.locator("#progress")).to_have_attribute("data-state", "done", timeout=DONE_WITHIN)
    expect(director.page.locator("h1")).to_have_text(re.compile(DONE))
    expect(director.page.get_by_text(czech("the message came back unchanged"))).to_be_visible()
    assert director.page.evaluate("() => window.neverReloaded") is True
    expect(director.page.locator(".n-withdraw")).to_be_hidden()
    assert objections(director.page, pictures, "thread-link-sent") == []

    credentials = installation.activate(newcomer.page, address)
    expect(director.page.locator("#progress")).to_have_attribute("data-activation", "used", timeout=DONE_WITHIN)
    assert director.page.evaluate("() => window.neverReloaded") is True
    enter_as_newcomer(newcomer, installation, address_on(director.page), credentials)
    assert objections(newcomer.page, pictures, "thread-newcomer-home") == []
    assert director.said + approver.said == []
    assert {name: found for name, found in installation.looked_at.items() if found} == {}


def address_on(page: Page) -> str:
    found = re.search(r"ludmila\.\w+(?=@gym-opava\.example)", page.locator("body").inner_text())
    assert found
    return found[0]


def enter_as_newcomer(newcomer: Person, installation: Installation, user_name: str, credentials: Credentials) -> None:
    newcomer.page.goto(f"{installation.portal}/login")
    installation.fill_log_in(newcomer.page, user_name, credentials)
    expect(newcomer.page).to_have_url(f"{installation.portal}/")
    expect(newcomer.page.locator("form[action='/logout']")).to_have_count(1)
    assert newcomer.page.goto(f"{installation.portal}/queue").status == 404  # type: ignore[union-attr]
    newcomer.page.goto(installation.portal)


def test_an_employee_without_javascript(somebody: Somebody, installation: Installation) -> None:
    given, family = new_name()
    director, approver = somebody(script=False), somebody(script=False)
    installation.log_in(director.page, DIRECTOR)
    director.page.goto(f"{installation.portal}/requests/new/employee")
    fill_form(director.page, given, family, private())
    number = submit(director.page)
    installation.log_in(approver.page, APPROVER)
    approve(approver.page, installation, number)
    expect(director.page.get_by_role("link", name=czech("Refresh"))).to_have_attribute("href", f"/requests/{number}")
    ends = time.monotonic() + DONE_WITHIN / 1000
    while director.page.locator("#progress").get_attribute("data-state") != "done" and time.monotonic() < ends:
        director.page.goto(f"{installation.portal}/requests/{number}")  # where the link leads
        time.sleep(1)
    expect(director.page.locator("h1")).to_have_text(re.compile(DONE))
    expect(director.page.get_by_text(czech("the message came back unchanged"))).to_be_visible()


def test_the_director_of_another_organisation_does_not_find_it(somebody: Somebody, installation: Installation) -> None:
    director, stranger = somebody(), somebody()
    installation.log_in(director.page, DIRECTOR)
    director.page.goto(f"{installation.portal}/requests")
    path = str(director.page.locator("a[href^='/requests/P-']").first.get_attribute("href"))
    installation.log_in(stranger.page, STRANGER)
    foreign, missing = (stranger.page.goto(f"{installation.portal}{one}") for one in (path, "/requests/P-2026-9999"))
    assert (foreign.status, missing.status) == (404, 404)  # type: ignore[union-attr]
    assert stranger.page.goto(f"{installation.portal}{path}").text().replace(path, "") == (  # type: ignore[union-attr]
        stranger.page.goto(f"{installation.portal}/requests/P-2026-9999").text().replace("/requests/P-2026-9999", "")  # type: ignore[union-attr]
    )


def test_a_log_out_ends_the_session_here_and_at_the_identity_server(somebody: Somebody, installation: Installation) -> None:
    person = somebody(script=False)
    installation.log_in(person.page, STRANGER)
    person.page.locator(".n-user > summary").click()
    person.page.locator("form[action='/logout'] button").click()
    expect(person.page).to_have_url(re.compile(f"^{re.escape(installation.portal)}/logout"))
    person.page.goto(f"{installation.portal}/requests")
    assert person.page.url.startswith(installation.identity)
    expect(person.page.locator("#username")).to_be_visible()
