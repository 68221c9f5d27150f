"""What the operator's own commands are told: the worker's settings, with the database role that owns the tables.

The launcher, the seed and the demo run as root beside the installed product; nothing here is written for a process that serves people.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager

from flows.connectors import registry
from flows.settings import load
from infra.servers import postgres, product
from infra.state import State

FILE = "NASTUP_SETTINGS_FILE"


@contextmanager
def operating(state: State) -> Generator[None, None, None]:
    """Inside the block `flows` works on this installation, as its operator. Not for two installations at once in one process."""
    before = os.environ.get(FILE)
    worker = next(tree for name, _user, tree in product.settings_of(state) if name == "worker")
    owner = {"url": postgres.dsn(state, "nastup_owner", driver="postgresql+psycopg")}
    _point_to(str(state.write_settings("operator", "root", {**worker, "database": owner})))
    try:
        yield
    finally:
        _point_to(before)


def _point_to(file: str | None) -> None:
    os.environ.pop(FILE, None)
    if file:
        os.environ[FILE] = file
    load.cache_clear()
    registry.forget()
