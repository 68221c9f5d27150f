"""Every address of the portal and who opens it, taken from the app's own routes: one that is missing here fails a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from starlette.routing import Route

from tests.journeys.scene import STATES, Scene
from web import login
from web.pages import ROUTERS

NO_PAGES = {
    "/healthz",
    "/readyz",
    "/login",
    "/login/callback",
    "/requests/{number}/progress",
    "/requests/{number}/evidence.zip",
    "/runs/{number}/log",
    "/queue/news",
}
DONE = "sent"
REACHED_RUNNING = ("approved", "running", "retrying", "waiting_retry", "prepared", "needs_attention", "cancelled", "used")


@dataclass(frozen=True)
class Visit:
    """`who` is a name of tests.cast.Cast, or "" for somebody who has not logged in."""

    who: str
    path: str
    status: int = 200

    def __str__(self) -> str:
        return f"{self.who or 'nobody'} {self.path}"


def pages(scene: Scene) -> dict[str, list[Visit]]:
    """By route: the addresses worth looking at, each for a reader who sees it."""
    number, person, draft = scene.numbers, scene.people, scene.drafts
    everybody = ("director", "clerk", "approver", "founder", "dpo", "it", "auditor")
    return {
        "/": [Visit(who, "/") for who in everybody],
        "/requests/new/employee": [Visit("director", "/requests/new/employee")],
        "/requests/drafts/{draft}": [
            Visit("director", f"/requests/drafts/{draft['part']}"),
            Visit("director", f"/requests/drafts/{draft['part']}?check=1", 422),
            Visit("director", f"/requests/drafts/{draft['returned']}"),
        ],
        "/requests/drafts/{draft}/check": [
            Visit("director", f"/requests/drafts/{draft['whole']}/check"),
            Visit("director", f"/requests/drafts/{draft['returned']}/check"),
        ],
        "/requests": [
            Visit("director", "/requests"),
            Visit("hospital_director", "/requests"),
            Visit("auditor", "/requests"),
            Visit("director", "/requests?q=nobody-of-this-name&state=done"),
        ],
        "/requests/{number}": [
            *(Visit("director", f"/requests/{number[state]}") for state in (*STATES, "long")),
            Visit("it", f"/requests/{number[DONE]}"),
        ],
        "/requests/{number}/submitted": [Visit("director", f"/requests/{number['long']}/submitted")],
        "/queue": [
            Visit("approver", "/queue"),
            Visit("approver", "/queue?due=overdue"),
            Visit("approver", "/queue?q=nobody-of-this-name"),
            Visit("approver", "/queue?whose=free&kind=employee"),
            Visit("founder", "/queue"),
        ],
        "/queue/together": [
            Visit("approver", f"/queue/together?item={number['waiting']}.1&item={number['overdue']}.1&item={number['long']}.1"),
            Visit("approver", f"/queue/together?item={number['refused']}.1"),
            Visit("approver", "/queue/together"),
        ],
        "/queue/{number}": [
            Visit("approver", f"/queue/{number[state]}")
            for state in ("waiting", "overdue", "long", "refused", "withdrawn", "returned", "corrected")
        ],
        "/runs": [Visit("it", "/runs"), Visit("auditor", "/runs?state=needs_attention"), Visit("approver", "/runs?state=prepared")],
        "/runs/{number}": [Visit("it", f"/runs/{number[state]}") for state in (*REACHED_RUNNING, DONE)],
        "/organisations": [Visit("director", "/organisations"), Visit("it", "/organisations"), Visit("it", "/organisations?q=nothing")],
        "/organisations/{slug}": [Visit("director", "/organisations/gym-opava"), Visit("auditor", "/organisations/nem-karvina")],
        "/organisations/{slug}/closed-days": [
            Visit("director", "/organisations/gym-opava/closed-days"),
            Visit("auditor", "/organisations/nem-karvina/closed-days"),
        ],
        "/absences": [Visit("security", "/absences"), Visit("founder", "/absences"), Visit("it", "/absences")],
        "/people": [Visit("director", "/people"), Visit("dpo", "/people"), Visit("director", "/people?q=nobody-of-this-name")],
        "/people/{person}": [Visit("director", f"/people/{person[state]}") for state in ("used", "link_expired", "long", "prepared")],
        "/audit": [Visit("auditor", "/audit"), Visit("auditor", "/audit?q=nobody-of-this-name")],
        "/accessibility": [Visit("", "/accessibility"), Visit("clerk", "/accessibility")],
        "/privacy": [Visit("", "/privacy")],
        "/activated": [Visit("", "/activated")],
        "/logout": [Visit("", "/logout")],
    }


def refusals(scene: Scene) -> list[Visit]:
    """The pages that say no."""
    return [
        Visit("director", "/not-here", 404),
        Visit("", "/not-here", 404),
        Visit("director", f"/requests/{scene.numbers['hospital']}", 404),
        Visit("clerk", "/queue", 404),
        Visit("it", "/requests/new/employee", 403),
        Visit("", "/login/callback?error=access_denied&state=none", 400),
    ]


def visits(scene: Scene) -> list[Visit]:
    return [visit for route in pages(scene).values() for visit in route] + refusals(scene)


def routes(method: str) -> Iterator[str]:
    """The paths of the app that answer a method, as they are written in the code."""
    for router in (*ROUTERS, login.router):
        yield from (route.path for route in router.routes if isinstance(route, Route) and method in (route.methods or ()))


def filled(path: str, scene: Scene, key: str, *, there: bool) -> str:
    """A path of the code as an address of what exists (of the requests called `key`), or of the same shape and nothing behind it."""
    values = {
        "number": scene.numbers[key] if there else "P-2026-9999",
        "person": scene.people[key] if there else str(UUID(int=uuid4().int)),
        "draft": scene.drafts["whole"] if there else str(uuid4()),
        "slug": "gym-opava" if there else "gym-nikde",
        "absence": scene.absence if there else str(uuid4()),
        "saved": scene.saved if there else str(uuid4()),
        "day": scene.day if there else str(uuid4()),
    }
    return path.format_map(values)
