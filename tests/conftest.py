"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from flows import logs
from tests import database as databases
from tests.cast import Cast, plant
from tests.database import Database

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
