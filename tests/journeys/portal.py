"""The portal as a process of its own (`python -m web`) over a database of the tests; log-ins are written by its own session store."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from flows.settings import load
from tests.cast import caller
from tests.database import Database
from tests.web.conftest import session_of
from web.sessions import COOKIE

PATIENCE = 60  # seconds until it answers


@dataclass(frozen=True)
class Portal:
    address: str
    database: Database
    settings: dict[str, str]

    def cookie_of(self, who: str) -> dict[str, str]:
        """The log-in of one of the cast; nothing for nobody."""
        if not who:
            return {}
        with self.database.used_as("nastup_portal"):
            return {COOKIE: session_of(caller(who))}

    def client(self, who: str, language: str = "cs") -> httpx2.Client:
        """A browser without JavaScript that follows no redirect."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookie_of(who).items())
        told = {"cookie": cookies, "accept-language": language, "sec-fetch-site": "same-origin", "origin": self.address}
        return httpx2.Client(base_url=self.address, headers=told, timeout=PATIENCE)


@contextmanager
def served(database: Database, log: Path) -> Iterator[Portal]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "NASTUP_PORTAL__ADDRESS": f"http://127.0.0.1:{port}",
        "NASTUP_PORTAL__PORT": str(port),
        "NASTUP_PORTAL__PREFECT_ADDRESS": "http://127.0.0.1:1",
        "NASTUP_PORTAL__CATCHER_ADDRESS": "http://127.0.0.1:1",
        "NASTUP_PORTAL__SUPPORT": "podpora@kraj.example",
        "NASTUP_PORTAL__RECHECK_MINUTES": "600",  # there is no identity server behind this portal
        "NASTUP_PORTAL__IDLE_MINUTES": "600",
        "NASTUP_OIDC__ISSUER": "http://127.0.0.1:1/realms/nastup",
        "NASTUP_OIDC__CLIENT_SECRET": "not used here",
    }
    here = os.environ | settings | {"NASTUP_DATABASE__URL": database.url("nastup_portal")}
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "web"], env=here, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    load.cache_clear()
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process, log)
        yield Portal(f"http://127.0.0.1:{port}", database, settings)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        load.cache_clear()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"the portal does not answer: {log.read_text()}")
