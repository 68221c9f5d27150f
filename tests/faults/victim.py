"""A worker or a dispatcher that may die in its work, as kill -9 would. Forked from a process that has everything imported."""

import os
from typing import Any

from flows import deeds, postbox
from flows.connectors import registry
from flows.onboard_employee import onboard_employee
from flows.settings import load
from tests.faults.outside import NAMES, Servers

for _name in NAMES:
    Servers.register(_name)


def live(address: Any, key: bytes, request: str, environment: dict[str, str]) -> None:
    """Carries out a request, or without one everything that the dispatcher has to do.

    Ends with exit code 137 at the crash point of the environment, with 0 when the work came to an end.
    """
    os.environ.update(environment)
    load.cache_clear()
    servers: Any = Servers(address, authkey=key)
    servers.connect()
    with registry.use(**{name: getattr(servers, name)() for name in NAMES}):
        if request:
            onboard_employee(request, return_state=True)
        while not request and (deeds.work() or postbox.work()):
            pass
    os._exit(0)
