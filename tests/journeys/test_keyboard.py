"""The portal without a mouse, and what the live parts do."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Open
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene
from tests.journeys.words import czech

pytestmark = [pytest.mark.browser, pytest.mark.servers]
FOCUSED = "() => document.activeElement.id || document.activeElement.tagName"


def focused(page: Page) -> str:
    return str(page.evaluate(FOCUSED))


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_first_key_leads_past_the_menu(script: bool, portal: Portal, opened: Open) -> None:
    page = opened("director", script=script).page
    page.goto(f"{portal.address}/requests")
    page.keyboard.press("Tab")
    skip = page.locator("a.n-skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_after_a_mistake_the_focus_is_on_the_summary_and_its_links_lead_to_the_fields(portal: Portal, opened: Open) -> None:
    person = opened("director")
    page = person.page
    page.goto(f"{portal.address}/requests/new/employee")
    page.fill("#given_name", "Žofie")
    page.locator("#given_name").press("Enter")
    expect(page.locator("#errors")).to_be_focused()
    page.keyboard.press("Tab")
    first = str(page.evaluate("() => document.activeElement.getAttribute('href')"))
    page.keyboard.press("Enter")
    assert f"#{focused(page)}" == first
    assert page.locator("#given_name").input_value() == "Žofie"
    assert page.title().startswith(str(page.locator("h1").inner_text()))


def test_a_decision_without_a_choice_says_so_and_takes_the_focus(scene: Scene, portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue/{scene.numbers['waiting']}")
    page.get_by_role("button", name=czech("Record the decision")).press("Enter")
    expect(page.locator("#errors")).to_be_focused()


def test_the_whole_decision_can_be_made_by_keyboard(scene: Scene, portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue/{scene.numbers['many-9']}")
    page.locator("#decision-refuse").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert focused(page) == "reason"
    page.keyboard.type("Místo není schválené.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/queue/P-"))
    expect(page.get_by_text(czech("%(number)s refused.", number=scene.numbers["many-9"]))).to_be_visible()


@pytest.mark.parametrize("which", [".n-user > summary"])
def test_a_menu_opens_and_closes_by_keyboard_and_everything_in_it_is_reached(which: str, portal: Portal, opened: Open) -> None:
    page = opened("director").page
    page.goto(portal.address)
    page.locator(which).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('.n-menu__panel') !== null")


def test_names_are_proposed_while_they_are_typed(portal: Portal, opened: Open) -> None:
    person = opened("director")
    page = person.page
    page.goto(f"{portal.address}/requests/new/employee")
    page.locator("#given_name").press_sequentially("Zdeňka")
    page.locator("#family_name").press_sequentially("Žluťoučká")
    page.keyboard.press("Tab")
    expect(page.get_by_text("zdenka.zlutoucka@gym-opava.example")).to_be_visible()
    page.fill("#given_name", "Jan")
    page.fill("#family_name", "Novák")
    page.keyboard.press("Tab")
    expect(page.get_by_text(re.compile(r"jan\.novak\d+@gym-opava\.example"))).to_be_visible()
    assert person.said == []


def test_a_page_that_waits_asks_again_and_one_that_is_finished_does_not(scene: Scene, portal: Portal, opened: Open) -> None:
    asked: list[str] = []
    page = opened("director").page
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/progress") else None)
    page.goto(f"{portal.address}/requests/{scene.numbers['used']}")
    page.wait_for_timeout(4000)
    assert asked == []
    page.goto(f"{portal.address}/requests/{scene.numbers['running']}")
    with page.expect_response(re.compile("/progress$")) as answer:
        pass
    assert answer.value.status == 200
    assert len(page.locator("h1").all()) == 1
