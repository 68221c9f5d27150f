"""The queue with keys only, with a mouse, and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Open
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene
from tests.journeys.words import czech

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def row_in_focus(page: Page) -> str:
    return str(page.evaluate("() => document.activeElement.id"))


def rows(page: Page) -> list[str]:
    return [str(row.get_attribute("id")) for row in page.locator("a[id^='row-']").all()]


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_j_and_k_go_from_row_to_row_and_stop_at_the_ends(portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue?q=novak")
    there = rows(page)
    press(page, "jjj")
    assert row_in_focus(page) == there[2]
    press(page, "kkkk")
    assert row_in_focus(page) == there[0]
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/queue/P-"))
    page.get_by_role("link", name=czech("Back to the queue")).click()
    page.wait_for_url(re.compile(r"/queue\?q=novak#row-"))
    expect(page.locator(f"a[id='{there[0]}']")).to_be_focused()


def test_a_decision_is_prepared_by_a_key_and_made_by_the_button_only(portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue?q=novak")
    number = rows(page)[0].removeprefix("row-").rpartition("-")[0]
    press(page, "ja")
    page.wait_for_url(re.compile(f"/queue/{number}#prepare-decision-approve"))
    expect(page.locator("#decision-approve")).to_be_checked()
    expect(page.locator("#record")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator("#decision-return")).to_be_checked()
    expect(page.locator("#field_1")).to_be_focused()
    page.keyboard.type("a tady")  # words are words where they are written
    expect(page.locator("#decision-return")).to_be_checked()
    page.locator("h1").click()
    page.keyboard.press("a")
    expect(page.locator("#record")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/queue/P-[0-9-]+$"))
    told = page.get_by_role("status").filter(has_text=czech("%(number)s approved.", number=number))
    expect(told).to_be_focused()
    assert number not in page.url


def test_several_are_chosen_and_decided_by_keys_each_with_its_result(portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue?q=novak")
    press(page, "jxjx")
    chosen = [box.get_attribute("value") for box in page.locator("input[name=item]:checked").all()]
    page.keyboard.press("k")
    page.get_by_role("button", name=czech("Review the chosen together")).press("Enter")
    page.wait_for_url(re.compile(r"/queue/together\?item="))
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/queue/decisions"))
    expect(page.get_by_role("heading", level=1)).to_have_text(czech("Decided together"))
    for item in chosen:
        expect(page.get_by_role("link", name=str(item).rpartition(".")[0])).to_be_visible()
    expect(page.get_by_role("link", name=czech("Back to the queue"))).to_be_focused()


def test_the_keys_are_explained_and_can_be_switched_off(portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.goto(f"{portal.address}/queue?q=novak")
    page.keyboard.press("?")
    expect(page.locator("#keys dl")).to_be_visible()
    expect(page.locator("#keys summary")).to_be_focused()
    page.locator("#q").focus()
    page.keyboard.press("End")
    page.keyboard.type("j?")
    expect(page.locator("#q")).to_have_value("novakj?")
    page.locator("#keys-switch input").uncheck()
    page.locator("h1").click()
    page.keyboard.press("j")
    assert not row_in_focus(page).startswith("row-")


def test_what_came_is_announced_and_nothing_that_is_read_moves(scene: Scene, portal: Portal, opened: Open) -> None:
    page = opened("approver").page
    page.clock.install()
    page.goto(f"{portal.address}/queue?q=novak")
    row = page.locator("a[id^='row-']").nth(3)
    row.scroll_into_view_if_needed()
    before = row.bounding_box()
    other = opened("second_approver").page
    number = rows(page)[3].removeprefix("row-").rpartition("-")[0]
    other.goto(f"{portal.address}/queue/{number}")
    other.locator("details summary", has_text=czech("Take over or hand over")).click()
    other.locator("select[name=to]").select_option(label="Jana Dvořáková")
    other.get_by_role("button", name=czech("Hand over")).click()
    other.wait_for_load_state()
    with page.expect_response(re.compile("/queue/news")):
        page.clock.run_for(21_000)
    expect(page.locator("#news a")).to_be_visible()
    assert row.bounding_box() == before


def test_without_javascript_several_are_decided_together_all_the_same(portal: Portal, opened: Open) -> None:
    page = opened("approver", script=False).page
    page.goto(f"{portal.address}/queue?q=novak")
    expect(page.locator("#keys")).to_be_hidden()  # no key works here
    boxes = page.locator("input[name=item]")
    for n in (0, 1):
        boxes.nth(n).check()
    page.get_by_role("button", name=czech("Review the chosen together")).click()
    page.locator("#decision-return").check()
    page.locator("#reason").fill("Doplňte prosím celý název pozice.")
    page.get_by_role("button", name=re.compile("2")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(czech("Decided together"))
    expect(page.locator(".n-checks > li")).to_have_count(2)
