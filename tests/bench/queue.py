"""`python -m tests.bench.queue`: the queue of an approver with many people and requests behind it, beside a bare page of the same HTML in
the same run; how it grows with the number of requests; and decisions per second. Nothing here passes or fails.

Needs the database server of an installation of tests (--state); makes databases and portals of its own.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

GOALS = {"ratio": 0.5, "p99_ratio": 2.5, "growth": 1.10}


@dataclass(frozen=True)
class Answers:
    """`per_second` of all clients together; milliseconds of one answer."""

    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Queue:
    """One size: the page, the bare page of the same HTML, the queue with a filter, and decisions through the one function."""

    requests: int
    bytes: int
    bare: Answers
    page: Answers
    filtered: Answers
    decisions_per_second: float

    def as_json(self) -> dict[str, Any]:
        kept = {name: vars(value) if isinstance(value, Answers) else value for name, value in vars(self).items()}
        return kept | {"ratio": self.page.per_second / self.bare.per_second, "p99_ratio": self.page.p99 / self.bare.p99}


def main() -> None:
    asked = _asked()
    if asked.state:
        os.environ["NASTUP_TEST_STATE"] = str(asked.state)
    found = measure(asked)
    print(table(found))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
        print(f"\nkept in {asked.json}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queue", description=__doc__)
    parser.add_argument("--state", type=Path, help="the installation of tests whose database server is used (NASTUP_TEST_STATE)")
    parser.add_argument("--people", type=int, default=25_000)
    parser.add_argument("--requests", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--open", type=float, default=10, help="per cent of the requests that wait for a decision")
    parser.add_argument("--clients", type=int, default=4, help="that ask at the same time")
    parser.add_argument("--seconds", type=float, default=4, help="of one round of one page")
    parser.add_argument("--rounds", type=int, default=4, help="of each page, in turn")
    parser.add_argument("--decisions", type=int, default=60)
    parser.add_argument("--json", type=Path, help="where the figures are kept")
    return parser.parse_args()


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    sizes = [_measured(asked, requests).as_json() for requests in asked.requests]
    first, last = sizes[0]["page"], sizes[-1]["page"]
    return {
        "machine": {"processors": os.cpu_count(), "load": os.getloadavg()[0]},
        "people": asked.people,
        "open_per_cent": asked.open,
        "clients": asked.clients,
        "sizes": sizes,
        "growth": last["p50"] / first["p50"],
        "goals": GOALS,
    }


def _measured(asked: argparse.Namespace, requests: int) -> Queue:
    from tests import database as databases
    from tests.bench.filling import decisions_per_second, fill
    from tests.cast import plant
    from tests.journeys.portal import served

    database = databases.of_tests(f"nastup_bench_{os.getpid()}")
    database.create()
    try:
        cast = plant(database)
        fill(database, cast, people=asked.people, requests=requests, waiting=max(1, round(requests * asked.open / 100)))
        with tempfile.TemporaryDirectory() as place, served(database, Path(place) / "portal.log") as portal:
            cookie = "; ".join(f"{name}={value}" for name, value in portal.cookie_of("approver").items())
            with _bare(database, Path(place), portal.settings) as bare:
                pages = {
                    "bare": (bare, "/queue"),
                    "page": (_where(portal.address), "/queue"),
                    "filtered": (_where(portal.address), "/queue?due=overdue&q=Novak+7"),
                }
                size = len(_answer(HTTPConnection(*bare), "/queue", cookie))
                found = _in_turn(pages, cookie, asked)
        return Queue(requests, size, found["bare"], found["page"], found["filtered"], decisions_per_second(database, cast, asked.decisions))
    finally:
        database.drop()


def _in_turn(pages: dict[str, tuple[tuple[str, int], str]], cookie: str, asked: argparse.Namespace) -> dict[str, Answers]:
    """Round after round, so that a busy moment of the machine meets all of them; the first round warms and does not count."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    spent = dict.fromkeys(pages, 0.0)
    for n in range(asked.rounds + 1):
        for name, (where, path) in pages.items():
            began = time.perf_counter()
            seconds = _asked_by_many(where, path, cookie, asked.clients, asked.seconds if n else min(1, asked.seconds))
            if n:
                times[name] += seconds
                spent[name] += time.perf_counter() - began
    return {name: _answers(times[name], spent[name]) for name in pages}


def _answers(seconds: Sequence[float], spent: float) -> Answers:
    ordered = sorted(seconds)
    return Answers(len(ordered) / spent, statistics.median(ordered) * 1000, ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000)


def _asked_by_many(where: tuple[str, int], path: str, cookie: str, clients: int, seconds: float) -> list[float]:
    barrier, times = Barrier(clients), list[float]()

    def client() -> None:
        browser = HTTPConnection(*where)
        barrier.wait()
        ends = time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            _answer(browser, path, cookie)
            times.append(time.perf_counter() - began)
        browser.close()

    threads = [Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _answer(browser: HTTPConnection, path: str, cookie: str) -> bytes:
    browser.request("GET", path, headers={"cookie": cookie, "accept-language": "cs", "sec-fetch-site": "same-origin"})
    answer = browser.getresponse()
    body = answer.read()
    assert answer.status == 200, f"{path}: {answer.status} {body[:300]!r}"
    return body


@contextmanager
def _bare(database: Any, place: Path, settings: dict[str, str]) -> Iterator[tuple[str, int]]:
    """A process of its own with the context of the real page, as this process makes it once."""
    import socket
    import subprocess

    from tests.bench import bare_page

    kept = place / "context"
    _keep_context(database, kept)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    here = os.environ | settings | {"NASTUP_PORTAL__PORT": str(port), bare_page.KEPT: str(kept)}
    with (place / "bare.log").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare_page"], env=here, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        for _ in range(300):
            try:
                _answer(HTTPConnection("127.0.0.1", port), "/queue", "")
                break
            except OSError:
                assert process.poll() is None, (place / "bare.log").read_text()
                time.sleep(0.1)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(30)


def _keep_context(database: Any, kept: Path) -> None:
    """Asks the portal once inside this process, with an ear at its frame."""
    from starlette.testclient import TestClient

    from tests.bench import bare_page
    from tests.cast import caller
    from tests.web.conftest import session_of
    from web.app import create_app
    from web.sessions import COOKIE

    with database.used_as("nastup_portal"), bare_page.keeping(kept):
        browser = TestClient(create_app(), base_url=os.environ["NASTUP_PORTAL__ADDRESS"])
        headers = {"cookie": f"{COOKIE}={session_of(caller('approver'))}", "accept-language": "cs", "sec-fetch-site": "same-origin"}
        answer = browser.get("/queue", headers=headers)
        assert answer.status_code == 200, answer.text[:500]


def _where(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("http://").rpartition(":")
    return host, int(port)


def table(found: dict[str, Any]) -> str:
    """The same for a person."""
    head = f"{found['people']:,} people, {found['open_per_cent']} % of the requests wait, {found['clients']} clients at once, "
    rows = [head + f"{found['machine']['processors']} processors, load {found['machine']['load']:.1f}", ""]
    columns = "{:>10} {:>9} | {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} | {:>6} {:>6} | {:>9} | {:>8}"
    rows.append(
        columns.format(
            "requests", "bytes", "bare/s", "p50 ms", "p99 ms", "queue/s", "p50 ms", "p99 ms", "ratio", "p99 x", "filter p50", "decide/s"
        )
    )
    for each in found["sizes"]:
        bare, page = each["bare"], each["page"]
        figures = [*(f"{each[key]:,}" for key in ("requests", "bytes"))]
        figures += [f"{value:.1f}" for one in (bare, page) for value in (one["per_second"], one["p50"], one["p99"])]
        figures += [
            f"{each['ratio']:.2f}",
            f"{each['p99_ratio']:.2f}",
            f"{each['filtered']['p50']:.1f}",
            f"{each['decisions_per_second']:.1f}",
        ]
        rows.append(columns.format(*figures))
    goals = found["goals"]
    told = f"(goal <= {goals['growth']}); ratio >= {goals['ratio']}, p99 <= {goals['p99_ratio']} x"
    rows.append(f"\ngrowth of p50, first to last: {found['growth']:.2f} x {told}")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
