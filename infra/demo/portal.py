"""What people do on the portal's own pages: log in and out, file, decide, look how far it is. Forms are found by their fields' names."""

import re
import time
from collections.abc import Mapping

from infra.demo.browser import Browser, Page
from infra.demo.people import log_in
from infra.demo.trouble import NotProved
from infra.seed.cast import Member
from infra.seed.credentials import known
from infra.state import State

ENDED = frozenset({"done", "prepared", "refused", "withdrawn", "expired", "cancelled", "needs_attention"})
LOOKS_EVERY = 0.5  # seconds; a director's page asks every two
RUNS_WITHIN = 240  # seconds for all tries of all steps of one run


def enter(state: State, browser: Browser, member: Member) -> Page:
    """Logs in at Keycloak with password and second factor and arrives at the home page."""
    portal = state.address("portal")
    page = log_in(browser, browser.get(f"{portal}/login"), member.user_name, known(state)[member.user_name])
    if not page.url.startswith(portal) or page.status != 200 or page.form_to("/logout") is None:
        raise NotProved(f"{member.name} did not arrive in the portal. The page {page.url} ({page.status}) says: {page.says}")
    return page


def leave(browser: Browser, page: Page) -> None:
    """Presses the log-out of the page."""
    browser.send(page, page.expect(page.form_to("/logout"), "The log-out"), {})


def file_employee(state: State, browser: Browser, answers: Mapping[str, str]) -> tuple[Page, str]:
    """Form, check, submit. Answers the last page and the number of the request."""
    page = browser.get(f"{state.address('portal')}/requests/new/employee")
    page = browser.send(
        page, page.expect(page.form("given_name", "private_email"), "The form of a new employee"), {**answers, "action": "check"}
    )
    confirm = next((form for form in page.content.forms if form.action.endswith("/submit")), None)
    page = browser.send(page, page.expect(confirm, "The button that submits the checked answers"), {})
    found = re.search(r"P-\d{4}-\d{4,}", page.url + page.content.title + " ".join(page.content.words))
    if page.status != 200 or not found:
        raise NotProved(f"The request was not accepted. The page says: {page.says}")
    return page, found[0]


def approve(state: State, browser: Browser, number: str) -> Page:
    """Opens the queue, then the request from the queue, and approves it."""
    page = browser.get(f"{state.address('portal')}/queue")
    onward = page.link(f"/queue/{number}")
    if onward is None:
        raise NotProved(f"The request {number} is not in the queue. The page says: {page.says}")
    page = browser.get(onward)
    form = page.expect(page.form("decision", "plan_hash"), f"The decision about {number}")
    page = browser.send(page, form, {"decision": "approve"})
    if page.status != 200:
        raise NotProved(f"The decision about {number} was not recorded. The page says: {page.says}")
    return page


def wait_until_ended(state: State, browser: Browser, number: str) -> Page:
    """Looks at the request's page until nothing moves any more."""
    ends = time.monotonic() + RUNS_WITHIN
    while time.monotonic() < ends:
        page = status_page(state, browser, number)
        if state_on(page) in ENDED:
            return page
        time.sleep(LOOKS_EVERY)
    raise NotProved(f"{number} did not end within {RUNS_WITHIN} seconds: look into log/worker.log and log/dispatcher.log of {state.root}.")


def status_page(state: State, browser: Browser, number: str) -> Page:
    return browser.get(f"{state.address('portal')}/requests/{number}")


def state_on(page: Page) -> str:
    """The state of the request that the page shows."""
    if "progress" not in page.content.marks:
        raise NotProved(f"The page of the request does not open ({page.status}): {page.says}")
    return page.content.marks["progress"].get("data-state", "")
