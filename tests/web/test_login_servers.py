"""The real log-in: Keycloak, password, second factor, and both ways out. Needs the running installation of the tests."""

from collections.abc import Iterator

import httpx2
import pyotp
import pytest

from infra.demo.browser import Browser
from infra.demo.people import log_in
from infra.demo.portal import enter, leave
from infra.seed.cast import Member, cast
from infra.seed.credentials import Credentials, known
from infra.servers.realm import administrator
from infra.state import State

pytestmark = pytest.mark.servers


@pytest.fixture
def state() -> State:
    return State.of_tests()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def home(state: State, browser: Browser) -> str:
    """Where a visit of the home page ends."""
    return browser.get(f"{state.address('portal')}/").url


def director() -> Member:
    return cast().one("director", "gym-opava")


def test_a_director_comes_back_to_the_page_that_was_wanted(state: State, browser: Browser) -> None:
    member = director()
    page = log_in(browser, browser.get(f"{state.address('portal')}/requests?q=x"), member.user_name, known(state)[member.user_name])
    assert page.url == f"{state.address('portal')}/requests?q=x"
    assert member.name in " ".join(page.content.words)


def test_a_log_in_gets_a_new_identifier(state: State, browser: Browser) -> None:
    """Whoever planted a cookie before the log-in holds nothing afterwards."""

    def cookie() -> str | None:
        return browser._http.cookies.get("__Host-nastup")

    page = browser.get(f"{state.address('portal')}/login")
    begun = cookie()
    log_in(browser, page, director().user_name, known(state)[director().user_name])
    assert begun
    assert cookie() not in (None, begun)


def test_logging_out_ends_the_session_at_the_identity_server_too(state: State, browser: Browser) -> None:
    leave(browser, enter(state, browser, director()))
    assert "/login-actions/" in str(browser.get(f"{state.address('portal')}/").content.forms[0].action)


def test_a_session_ended_by_the_administrator_ends_here(state: State, browser: Browser) -> None:
    enter(state, browser, director())
    assert home(state, browser) == f"{state.address('portal')}/"
    with administrator(state) as keycloak:
        (account,) = keycloak.get("/users", params={"username": director().user_name, "exact": "true"}).json()
        keycloak.post(f"/users/{account['id']}/logout").raise_for_status()
    assert "/realms/" in home(state, browser)


def test_a_log_in_with_the_code_counts_as_a_second_factor(state: State, browser: Browser) -> None:
    enter(state, browser, cast().one("security"))
    assert browser.get(f"{state.address('portal')}/queue").status == 200


def test_an_account_that_the_portal_does_not_know_is_told_so(state: State, browser: Browser) -> None:
    name, password = "somebody.else", pyotp.random_base32()
    with administrator(state) as keycloak:
        account = {
            "username": name,
            "enabled": True,
            "email": f"{name}@kraj.example",
            "firstName": "Some",
            "lastName": "Body",
            "emailVerified": True,
        }
        secret = {"type": "password", "value": password, "temporary": False}
        made = keycloak.post("/users", json=account | {"credentials": [secret]})
        assert made.status_code in (httpx2.codes.CREATED, httpx2.codes.CONFLICT)
        (remote,) = keycloak.get("/users", params={"username": name, "exact": "true"}).json()
        keycloak.put(f"/users/{remote['id']}/reset-password", json=secret).raise_for_status()
        try:
            page = log_in(browser, browser.get(f"{state.address('portal')}/login"), name, Credentials(password, ""))
            assert page.status == httpx2.codes.FORBIDDEN
            assert home(state, browser) != f"{state.address('portal')}/"
        finally:
            keycloak.delete(f"/users/{remote['id']}").raise_for_status()


def test_an_answer_of_somebody_elses_log_in_is_refused(state: State, browser: Browser) -> None:
    """The code of a log-in belongs to the browser that began it."""
    portal = state.address("portal")
    assert browser.get(f"{portal}/login/callback?state=stolen&code=stolen").status == httpx2.codes.BAD_REQUEST
    assert browser.get(f"{portal}/login/callback?error=access_denied&state=x").status == httpx2.codes.BAD_REQUEST
