"""What the journeys share: the scene in a database of its own, a portal over it, and Chromium. Made once for the whole package."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import database as databases
from tests.journeys import chromium as browsers
from tests.journeys.chromium import Person
from tests.journeys.portal import Portal, served
from tests.journeys.scene import Scene

Open = Callable[..., Person]


@pytest.fixture(scope="package")
def pictures() -> Path | None:
    """Where pictures of all pages are kept for a person to look at (NASTUP_TEST_PICTURES), if anywhere."""
    if not (place := os.environ.get("NASTUP_TEST_PICTURES")):
        return None
    Path(place).mkdir(parents=True, exist_ok=True)
    return Path(place)


@pytest.fixture(scope="package")
def scene() -> Iterator[Scene]:
    """Requests in every state. Made by another process, so that Prefect's loop and Playwright's never meet."""
    database = databases.of_tests(f"nastup_test_{os.getpid()}_scene")
    ended = subprocess.run([sys.executable, "-m", "tests.journeys.scene", database.name], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    yield Scene(**json.loads(ended.stdout.splitlines()[-1]))
    database.drop()


@pytest.fixture(scope="package")
def portal(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with served(databases.of_tests(scene.database), tmp_path_factory.mktemp("portal") / "portal.log") as portal:
        yield portal


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with browsers.started() as browser:
        yield browser


@pytest.fixture
def opened(chromium: Browser, portal: Portal) -> Iterator[Open]:
    """A browser of one of the cast, logged in at the portal of the scene."""
    people: list[Person] = []

    def open_(who: str, *, script: bool = True, language: str = "cs-CZ") -> Person:
        people.append(Person(chromium, script=script, language=language, cookies=portal.cookie_of(who), at=portal.address))
        return people[-1]

    yield open_
    for person in people:
        person.close()
