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
def operating(state: State) -> Generator[None]:
    """Inside the block `flows` works on this installation, as its operator. Not for two installations at once in one process."""
    worker = next(tree for name, _user, tree in product.settings_of(state) if name == "worker")
    owner = {"url": postgres.dsn(state, "nastup_owner", driver="postgresql+psycopg")}
    heads = {"heads": state.path("rooms", "dispatcher", "audit-heads.jsonl")}
    file = state.write_settings("operator", "root", {**worker, "database": owner, "audit": heads})
    # the environment would win over the file, and what stands there may be meant for another installation
    before = {name: os.environ.pop(name) for name in list(os.environ) if name == FILE or (name.startswith("NASTUP_") and "__" in name)}
    os.environ[FILE] = str(file)
    _anew()
    try:
        yield
    finally:
        del os.environ[FILE]
        os.environ.update(before)
        _anew()


def _anew() -> None:
    load.cache_clear()
    registry.forget()
