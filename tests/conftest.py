"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest

from flows import logs
from infra.servers import prefect
from infra.state import State
from tests import database as databases
from tests.cast import Cast, plant
from tests.database import Database

if "NASTUP_TEST_STATE" in os.environ:  # before Prefect is imported, which reads them then and would start a server of its own
    os.environ["PREFECT_API_URL"] = f"{State.of_tests().address('prefect')}/api"
    os.environ["PREFECT_API_AUTH_STRING"] = prefect.auth(State.of_tests())
logs.configure()  # as in every process: a traceback without the values of variables


@pytest.fixture(scope="session")
def migrated() -> Iterator[Database]:
    made = databases.of_tests()
    made.create()
    yield made
    made.drop()


@pytest.fixture
def database(migrated: Database) -> Iterator[Database]:
    """Migrated and without rows; the process works as the portal."""
    migrated.empty()
    with migrated.used_as("nastup_portal"):
        yield migrated


@pytest.fixture
def cast(database: Database) -> Cast:
    """The people of two organisations and of the region."""
    return plant(database)
