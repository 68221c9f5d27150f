"""`python -m tests.bench`: how fast it is, beside the barest thing that could do the same in the same minute. Nothing here passes or fails.

Needs a running installation of tests (--state): its people stay in it.
"""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.state import TEST, State

GOAL, LIMIT = 1.5, 5.0  # seconds from a decision to the first call of a server


def main() -> None:
    asked = _asked()
    os.environ["NASTUP_TEST_STATE"] = str(asked.state)  # databases of its own are made on the same cluster
    os.environ.pop("NASTUP_TEST_POSTGRES", None)
    found = measure(State(asked.state), asked)
    print(table(found))
    place: Path = asked.json or asked.state / "bench.json"
    place.write_text(json.dumps(found, indent=2) + "\n")
    print(f"\nkept in {place}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(os.environ.get("NASTUP_TEST_STATE", TEST)), help="the running installation")
    parser.add_argument("--people", type=int, default=24, help="onboarded at once, by the flow and by bare calls")
    parser.add_argument("--one-by-one", type=int, default=8, help="decided one after another, to see how fast it reacts")
    parser.add_argument("--requests", type=int, nargs="*", default=[1000, 10000], help="requests in the queue")
    parser.add_argument("--rounds", type=int, default=30, help="answers of each page")
    parser.add_argument("--json", type=Path, help="where the figures are kept (STATE/bench.json)")
    return parser.parse_args()


def measure(state: State, asked: argparse.Namespace) -> dict[str, Any]:
    """All figures: seconds, people per second, milliseconds, ratios."""
    from flows.settings import Prefect, load
    from tests.bench.bare import Bare
    from tests.bench.flow import Bench, as_process
    from tests.bench.pages import measured

    bench = Bench(state)
    with as_process(state, "worker"):
        at_once = load().need(Prefect).concurrency
        bare = Bare(bench.place).seconds_for(asked.people, at_once)
    alone, together = bench.one_by_one(asked.one_by_one), bench.at_once(asked.people)
    pages = [measured(requests, asked.rounds) for requests in asked.requests]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": os.cpu_count(), "load": os.getloadavg()[0], "system": platform.platform()},
        "flow": {"people": together.people, "seconds": together.seconds, "people_per_second": together.people / together.seconds},
        "bare": {"people": asked.people, "at_once": at_once, "seconds": bare, "people_per_second": asked.people / bare},
        "flow_to_bare": together.seconds / bare,
        "decision_to_first_effect": {
            "alone": _spread(alone.reaction),
            "together": _spread(together.reaction),
            "goal": GOAL,
            "limit": LIMIT,
        },
        "decision_to_done_alone": alone.seconds / max(1, alone.people),
        "pages": [vars(each) | {"ratio": each.ratio} for each in pages],
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": statistics.median(ordered), "p95": ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))], "n": len(ordered)}


def table(found: dict[str, Any]) -> str:
    """The same for a person."""
    flow, bare, react = found["flow"], found["bare"], found["decision_to_first_effect"]
    rows = [
        (f"flow, {flow['people']} people at once", f"{flow['people_per_second']:.2f} people/s", f"{flow['seconds']:.1f} s"),
        (f"bare calls, {bare['at_once']} at once", f"{bare['people_per_second']:.2f} people/s", f"{bare['seconds']:.1f} s"),
        ("flow : bare", f"{found['flow_to_bare']:.2f} x", "the price of ledger, fence and Prefect"),
        (
            "decision to first call, alone",
            f"p50 {react['alone']['p50']:.2f} s",
            f"p95 {react['alone']['p95']:.2f} s (goal {GOAL} s, limit {LIMIT:.0f} s)",
        ),
        (
            "decision to first call, together",
            f"p50 {react['together']['p50']:.2f} s",
            f"p95 {react['together']['p95']:.2f} s (waits for its turn)",
        ),
        ("decision to done, alone", f"{found['decision_to_done_alone']:.1f} s", ""),
    ]
    for each in found["pages"]:
        rows.append(
            (f"queue of {each['requests']:,}", f"{each['queue']:.0f} ms", f"{each['ratio']:.1f} x a bare page ({each['bare']:.0f} ms)")
        )
        rows.append(("  searched", f"{each['search']:.0f} ms", ""))
    wide = max(len(row[0]) for row in rows)
    head = f"{found['at']}  {found['machine']['processors']} processors, load {found['machine']['load']:.1f}"
    return "\n".join([head, "", *(f"{name:<{wide}}  {value:>16}  {note}".rstrip() for name, value, note in rows)])


if __name__ == "__main__":
    main()
