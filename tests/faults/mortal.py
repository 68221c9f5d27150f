"""Processes of ours that a test lets die at a crash point, against fakes that outlive them."""

import contextlib
import multiprocessing
import os
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from flows.model import OnboardingRequest
from tests.database import Database
from tests.faults import victim
from tests.faults.outside import Outside, Servers, offer

DIED = 137


class Mortal:
    """Starts workers and dispatchers against one outside; each is forked with everything imported."""

    def __init__(self, database: Database, environment: dict[str, str]) -> None:
        self.forks = multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload(["tests.faults.victim"])
        self.key = secrets.token_bytes(16)
        self.environment = environment | {"NASTUP_DATABASE__URL": database.url("nastup_worker")}
        self.environment |= {name: os.environ[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")}
        self.address: Any = None

    @contextmanager
    def against(self, outside: Outside) -> Generator["Mortal"]:
        offer(outside)
        server: Any = Servers(("127.0.0.1", 0), authkey=self.key).get_server()
        self.address = server.address

        def serve() -> None:
            with contextlib.suppress(SystemExit):  # how a manager's server ends
                server.serve_forever()

        def accept() -> None:
            """The manager's own asks the closed listener for ever: forty of them took the processor from all tests that came later."""
            while not server.stop_event.is_set():
                with contextlib.suppress(OSError):
                    connection = server.listener.accept()
                    threading.Thread(target=server.handle_request, args=(connection,), daemon=True).start()

        server.accepter = accept
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield self
        server.stop_event.set()
        thread.join()
        server.listener.close()

    def worker(self, request: OnboardingRequest, crash_at: str = "") -> int | None:
        """Carries out the request. The exit code: 137 = died at the crash point."""
        return self._live(str(request.id), crash_at)

    def dispatcher(self, crash_at: str = "") -> int | None:
        """Does all deeds and letters that are due. The exit code: 137 = died at the crash point."""
        return self._live("", crash_at)

    def _live(self, request: str, crash_at: str) -> int | None:
        environment = self.environment | {"NASTUP_PROVISIONING__CRASH_AT": crash_at}
        process = self.forks.Process(target=victim.live, args=(self.address, self.key, request, environment))
        process.start()
        process.join(60)
        return process.exitcode
