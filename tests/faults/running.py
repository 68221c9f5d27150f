"""The running test installation with a director and an approver at its portal, and its programs, which a test stops, kills and starts."""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.model import Attempt, Effect, Lease, OnboardingRequest
from flows.model.session import transaction
from infra.demo import portal
from infra.demo.browser import Browser
from infra.demo.story import answers
from infra.running import SERVERS
from infra.seed.cast import cast
from infra.servers import product
from infra.state import State, Tree
from infra.supervise import RUNNING, Supervisor
from tests.journeys.installation import new_name

DIRECTOR, APPROVER = cast().one("director", "nem-karvina"), cast().one("region-it")


class Running:
    """`logged_in` first: while a server is down nobody could log in."""

    def __init__(self, state: State) -> None:
        self.state, self.supervisor = state, Supervisor(state)
        self.director, self.approver = Browser(), Browser()
        self.private: dict[str, str] = {}  # where the activation letter of a request goes
        processes = [server.process(state) for server in SERVERS] + product.processes(state)
        self.ready = {process.name: process.ready for process in processes}

    @contextmanager
    def logged_in(self) -> Generator["Running"]:
        with ExitStack() as stack:
            for browser, member in ((self.director, DIRECTOR), (self.approver, APPROVER)):
                portal.enter(self.state, stack.enter_context(browser), member)
            yield self

    # ---- what people do

    def file(self) -> str:
        """The number of a new request."""
        given, family = new_name()
        mark = time.time_ns()
        typed = {
            "given_name": given,
            "family_name": family,
            "personal_number": f"F{mark % 10**9}",
            "private_email": f"f{mark}@posta.example",
        }
        _page, number = portal.file_employee(self.state, self.director, {**answers(), "manager": DIRECTOR.name, **typed})
        self.private[number] = typed["private_email"]
        return number

    def approve(self, number: str) -> None:
        portal.approve(self.state, self.approver, number)

    # ---- programs

    @contextmanager
    def down(self, *names: str) -> Generator[None]:
        """Stopped inside the block, started and ready afterwards."""
        for name in names:
            self.supervisor.stop(name)
        try:
            yield
        finally:
            for name in names:
                self.supervisor.start(name)
            for name in names:
                self.wait(lambda name=name: self._is_ready(name), 120, f"{name} is ready again")

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again."""
        before = self.supervisor.process(name)["pid"]
        self.supervisor.signal(name, 9)
        self.wait(lambda: self.supervisor.process(name)["pid"] not in (0, before), 30, f"{name} was started again")

    @contextmanager
    def told(self, lease_seconds: float) -> Generator[None]:
        """Worker and dispatcher are patient with a silent worker for so long only, to spare the tests a minute each."""
        self._tell({"provisioning": {"lease_seconds": str(lease_seconds)}})
        try:
            yield
        finally:
            self._tell({})

    def _tell(self, more: Tree) -> None:
        names = ("worker", "dispatcher")
        for name, user, tree in product.settings_of(self.state):
            if name in names:
                self.state.write_settings(name, user, {**tree, **more})
        with self.down(*names):
            pass

    def _is_ready(self, name: str) -> bool:
        asked = self.ready[name]
        return asked() if asked else self.supervisor.process(name)["state"] == RUNNING

    # ---- what our database remembers

    def request(self, number: str) -> OnboardingRequest:
        with transaction() as session:
            return _request(session, number)

    def ends(self, number: str, state: str = "done", within: float = 120) -> OnboardingRequest:
        self.wait(lambda: self.request(number).state.value in portal.ENDED, within, f"{number} ends")
        request = self.request(number)
        assert request.state.value == state, (request.sentence, request.detail)
        return request

    def outcomes(self, number: str) -> list[tuple[str, str]]:
        """(step, how it ended) of every try, in order."""
        tries = select(Effect.name, Attempt.outcome).join(Attempt.effect).join(OnboardingRequest, OnboardingRequest.id == Effect.request_id)
        with transaction() as session:
            return [
                (name, how) for name, how in session.execute(tries.where(OnboardingRequest.number == number).order_by(Attempt.started_at))
            ]

    def tried_in_vain(self, number: str, times: int = 1) -> None:
        """Waits until a step of the request met a server that does not answer so often."""
        self.wait(lambda: [how for _, how in self.outcomes(number)].count("unavailable") >= times, 60, f"{number} meets the outage")

    def begins(self, number: str, step: str) -> None:
        """Waits until the step is under way: its intent is written, its result is not."""
        begun = select(func.count()).select_from(Effect).where(Effect.name == step)

        def seen() -> bool:
            with transaction() as session:
                return bool(session.scalar(begun.where(Effect.request_id == _request(session, number).id)))

        self.wait(seen, 60, f"{step} of {number} begins", every=0.01)

    def holders(self, number: str) -> int:
        """How many workers have held the request so far."""
        with transaction() as session:
            return session.get_one(Lease, _request(session, number).id).epoch

    def held(self, number: str, step: str) -> str:
        """The id that a finished step holds outside."""
        with transaction() as session:
            of = (Effect.request_id == _request(session, number).id, Effect.name == step)
            return str(session.scalars(select(Effect.remote_id).where(*of)).one())

    def person(self, number: str) -> UUID:
        return self.request(number).beneficiary_id or UUID(int=0)

    @staticmethod
    def wait(true: Callable[[], bool], within: float, what: str, every: float = 0.2) -> None:
        ends = time.monotonic() + within
        while not true():
            assert time.monotonic() < ends, f"not within {within} s: {what}"
            time.sleep(every)


def _request(session: Session, number: str) -> OnboardingRequest:
    return session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == number)).one()
