"""Looking changes nothing, and who must not look learns nothing."""

import re

import httpx2
import pytest

from tests.database import Database
from tests.journeys.addresses import filled, routes, visits
from tests.journeys.portal import Portal
from tests.journeys.scene import Scene
from tests.journeys.words import czech

pytestmark = pytest.mark.servers
EVERYBODY = ("", "director", "clerk", "hospital_director", "approver", "founder", "security", "dpo", "it", "auditor")
LIVES = {"web_session", "lookup"}  # a session is touched by being used; a question is asked by a button, and answered by the dispatcher
OWN = sorted({path for method in ("GET", "POST") for path in routes(method) if "{" in path})


def rows_of(database: Database) -> dict[str, str]:
    """A fingerprint of every table: of its rows and of their versions, so that an update to the same value shows, too."""
    with database.superuser() as db:
        tables = [
            name for (name,) in db.execute("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'backup')")
        ]
        hashed = "SELECT coalesce(md5(string_agg(md5(t.xmin::text || t.ctid::text || t::text), '' ORDER BY t.ctid)), '') FROM {} t"
        return {name: str(db.execute(hashed.format(name).encode()).fetchone()) for name in tables if name.rpartition(".")[2] not in LIVES}


@pytest.mark.parametrize("who", EVERYBODY)
def test_opening_any_address_changes_nothing(who: str, scene: Scene, portal: Portal) -> None:
    keys = ("waiting", "hospital", "sent", "running")
    addresses = {filled(path, scene, key, there=there) for path in routes("GET") for key in keys for there in (True, False)}
    addresses |= {visit.path for visit in visits(scene)}
    before = rows_of(portal.database)
    with portal.client(who) as browser:
        statuses = {address: browser.get(address).status_code for address in sorted(addresses)}
    assert rows_of(portal.database) == before
    assert {address: status for address, status in statuses.items() if status >= 500 and address.startswith("/login") is False} == {}


def answer(browser: httpx2.Client, method: str, address: str, *names: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers, with the asked names taken out (the page repeats where the reader is)."""
    response = browser.request(method, address, data={} if method == "POST" else None, headers={"referer": str(browser.base_url)})
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "content-length", "set-cookie")}
    return response.status_code, re.sub("|".join(map(re.escape, names)), "NAME", response.text), headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", OWN)
def test_what_is_somebody_elses_is_not_there(method: str, path: str, scene: Scene, portal: Portal) -> None:
    """The director of the hospital asks for what the school has, and for what nobody has: the very same answer."""
    there, nowhere = (filled(path, scene, "waiting", there=exists) for exists in (True, False))
    names = [name for pair in zip(there.split("/"), nowhere.split("/"), strict=True) if pair[0] != pair[1] for name in pair]
    with portal.client("hospital_director") as browser:
        foreign, missing = (answer(browser, method, address, *names) for address in (there, nowhere))
    assert foreign == missing
    assert foreign[0] == (404 if path in set(routes(method)) else 405)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sent", "Activation link sent"),
        ("used", "Account activated"),
        ("link_expired", "Activation link expired"),
        ("bounced", "The private address refused the link"),
    ],
)
def test_what_became_of_the_link_is_told_in_the_history(key: str, words: str, scene: Scene, portal: Portal) -> None:
    with portal.client("director") as browser:
        history = browser.get(f"/requests/{scene.numbers[key]}").text.partition('id="history-title"')[2].partition("</section>")[0]
    assert czech(words) in history


def test_the_lists_of_a_stranger_hold_nothing_of_others(scene: Scene, portal: Portal) -> None:
    with portal.client("hospital_director") as browser:
        for address in ("/", "/requests", "/people", "/organisations", "/requests?q=Novák", "/people?q=Novák"):
            text = browser.get(address).text
            assert "Opava" not in text, address
            assert not {number for key, number in scene.numbers.items() if key != "hospital"} & set(re.findall(r"P-\d{4}-\d{4}", text)), (
                address
            )


def test_a_filter_by_an_organisation_of_somebody_else_shows_nothing(scene: Scene, portal: Portal) -> None:
    from uuid import uuid5

    from tests.cast import SPACE

    with portal.client("hospital_director") as browser:
        school, nobody = (
            browser.get("/requests", params={"organisation": str(one)}) for one in (uuid5(SPACE, "school"), uuid5(SPACE, "none"))
        )
    assert school.status_code == nobody.status_code
    assert school.text.replace(str(uuid5(SPACE, "school")), "ID") == nobody.text.replace(str(uuid5(SPACE, "none")), "ID")
    assert "Gymnázium Opava" not in school.text
