"""A worker that carries out one request and may die in it, as kill -9 would. Forked from a process that has everything imported."""

import os
from typing import Any

from flows.connectors import registry
from flows.onboard_employee import onboard_employee
from flows.settings import load
from tests.faults.outside import Servers

for _name in ("identity", "mail", "backup"):
    Servers.register(_name)


def carry_out(address: Any, key: bytes, request: str, environment: dict[str, str]) -> None:
    """Ends with exit code 137 at the crash point of the environment, with 0 when the flow came to an end."""
    os.environ.update(environment)
    load.cache_clear()
    servers: Any = Servers(address, authkey=key)
    servers.connect()
    with registry.use(identity=servers.identity(), mail=servers.mail(), backup=servers.backup()):
        onboard_employee(request, return_state=True)
    os._exit(0)
