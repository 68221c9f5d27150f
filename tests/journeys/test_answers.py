"""Pages that only a form answers: no address leads to them, so they are looked at here as the others are in test_every_page.py."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.journeys.chromium import objections
from tests.journeys.conftest import Open
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene
from tests.journeys.words import czech

pytestmark = [pytest.mark.browser, pytest.mark.servers]
LONG = "Pozice v žádosti neodpovídá systemizaci; doplňte prosím číslo systemizovaného místa a jméno vedoucího. " * 4


def a_filter_without_a_name(page: Page, portal: Portal, scene: Scene) -> None:
    page.goto(f"{portal.address}/queue?q=novak")
    page.locator("details summary", has_text=czech("Keep this filter")).click()
    page.get_by_role("button", name=czech("Keep"), exact=True).click()
    page.locator("#keys summary").click()


def a_sample_without_a_finding(page: Page, portal: Portal, scene: Scene) -> None:
    page.goto(f"{portal.address}/queue")
    number = scene.numbers["sent"]
    page.get_by_role("button", name=czech("Keep the finding about %(number)s", number=number)).click()


def nothing_chosen_for_all(page: Page, portal: Portal, scene: Scene) -> None:
    page.goto(f"{portal.address}/queue/together?item={scene.numbers['many-24']}.1&item={scene.numbers['refused']}.1")
    page.locator("#record").click()


def decided_together(page: Page, portal: Portal, scene: Scene) -> None:
    """One is decided, the other was decided by a colleague in the meantime."""
    one, other = (scene.numbers[name] for name in ("many-25", "refused"))
    page.goto(f"{portal.address}/queue/together?item={one}.1")
    page.locator("form[action='/queue/decisions']").evaluate(
        """(form, name) => { const more = document.createElement('input'); more.type = 'hidden'; more.name = `item-${name}.1`;
        more.value = '1:' + '0'.repeat(64); form.append(more); }""",
        other,
    )
    page.locator("#decision-approve").check()
    page.locator("#record").click()


def faster_colleague(page: Page, portal: Portal, scene: Scene) -> None:
    """What was typed in vain is there to be copied."""
    page.goto(f"{portal.address}/queue/{scene.numbers['many-26']}")
    page.locator("#decision-refuse").check()
    page.locator("#reason").fill(LONG)
    with portal.client("second_approver") as other:
        fields = {name: str(page.locator(f"input[name={name}]").first.get_attribute("value")) for name in ("plan_hash", "version", "stage")}
        answered = other.post(f"/queue/{scene.numbers['many-26']}/decision", data=fields | {"decision": "approve"})
        assert answered.status_code in (200, 303), answered.text[:300]
    page.locator("#record").click()


@pytest.mark.parametrize(
    "asked", [a_filter_without_a_name, a_sample_without_a_finding, nothing_chosen_for_all, decided_together, faster_colleague]
)
def test_nothing_is_wrong_with_what_a_form_answers(
    asked: Callable[[Page, Portal, Scene], None], scene: Scene, portal: Portal, opened: Open, pictures: Path | None
) -> None:
    person = opened("approver")
    asked(person.page, portal, scene)
    person.page.wait_for_load_state()
    assert person.said == []
    assert objections(person.page, pictures, asked.__name__) == []
