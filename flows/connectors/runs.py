"""The runs of requests in Prefect: created paused at submission, released by the last approval, followed to the end.

Prefect executes and shows; what was decided is known from our database only. A run is found again by its idempotency key
`<request>:<generation>`. Its parameters are shown to everybody who may open Prefect, so they hold the request's id and nothing else.
"""

import logging
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterIdempotencyKey,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterId,
)
from prefect.client.schemas.objects import FlowRun, Log, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Paused, Scheduled

from flows.connectors.base import FOREVER, ConnectorError, Gone, LogLine, Misconfigured, RunSeen, Unavailable
from flows.sentence import say
from flows.settings import Prefect

T = TypeVar("T")
AT_WORK = {StateType.PENDING, StateType.RUNNING, StateType.CANCELLING}
LOG_LINES = 200  # the server gives at most this many at once
ENDED = re.compile(r"Finished in state (\w+)\((.*)\)", re.DOTALL)
NAMELESS = "step"  # Prefect hears of task runs by events, and a burst may drop one: its lines have a step without a name


class PrefectRuns:
    """Runs of the deployments `<flow>/default`. Safe to share between threads: every question has a client of its own."""

    def __init__(self, settings: Prefect) -> None:
        self._settings = settings
        self._trust = ssl.create_default_context()  # made once: it takes longer than a question
        self._deployments: dict[str, UUID] = {}

    def create(self, request: UUID, generation: int, flow: str, number: str, waiting_for: str) -> RunSeen:
        deployment, waits = self._deployment(flow), Paused(name="AwaitingApproval", message=waiting_for, timeout_seconds=FOREVER)
        run = self._ask(
            lambda prefect: prefect.create_flow_run_from_deployment(
                deployment,
                parameters={"request_id": str(request)},
                state=waits,
                name=number,
                idempotency_key=_key(request, generation),
            )
        )
        if run.state and run.state.name == "AwaitingApproval" and run.state.message != waiting_for:
            self._set(run, waits)  # the next stage: somebody else is waited for
        return _seen(run)

    def release(self, request: UUID, generation: int, *, again: bool = False, lost: bool = False) -> None:
        run = self._need(request, generation)
        kind = run.state.type if run.state else None
        if kind is StateType.SCHEDULED or (not again and (kind in AT_WORK or kind is StateType.COMPLETED)):
            return  # a release that came twice
        if kind in AT_WORK and not lost:
            # the flow has written its end to our database and not yet to Prefect: a state set now would be overwritten
            raise Unavailable(say("The last run is still ending."), str(kind), after=1)
        self._set(run, Scheduled(name="AwaitingRetry") if again else Scheduled())

    def cancel(self, request: UUID, generation: int, reason: str) -> None:
        run = self._need(request, generation)
        if run.state and (run.state.is_final() or run.state.type in AT_WORK):
            return  # a flow at work asks our database between two effects and ends by itself: no effect is cut
        self._set(run, Cancelled(name="Refused", message=reason))

    def observe(self, request: UUID, generation: int) -> RunSeen | None:
        run = self._find(request, generation)
        return _seen(run) if run else None

    def log(self, request: UUID, generation: int) -> Sequence[LogLine]:
        run = self._need(request, generation)
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        written = self._ask(lambda prefect: prefect.read_logs(wanted, limit=LOG_LINES))
        steps = self._steps({line.task_run_id for line in written if line.task_run_id})
        return [_line(line, steps) for line in written]

    def _steps(self, tasks: set[UUID]) -> dict[UUID, str]:
        if not tasks:
            return {}
        wanted = TaskRunFilter(id=TaskRunFilterId(any_=list(tasks)))
        return {task.id: task.name for task in self._ask(lambda prefect: prefect.read_task_runs(task_run_filter=wanted, limit=LOG_LINES))}

    def _deployment(self, flow: str) -> UUID:
        if flow not in self._deployments:
            try:
                self._deployments[flow] = self._ask(lambda prefect: prefect.read_deployment_by_name(f"{flow}/default")).id
            except Gone:
                raise Unavailable(say("The worker has not announced this procedure yet."), f"deployment {flow}/default") from None
        return self._deployments[flow]

    def _find(self, request: UUID, generation: int) -> FlowRun | None:
        key = FlowRunFilterIdempotencyKey(any_=[_key(request, generation)])
        found = self._ask(lambda prefect: prefect.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=key), limit=1))
        return found[0] if found else None

    def _need(self, request: UUID, generation: int) -> FlowRun:
        if (run := self._find(request, generation)) is None:
            raise Gone(say("Prefect does not know the run."), _key(request, generation))
        return run

    def _set(self, run: FlowRun, state: State[Any]) -> None:
        self._ask(lambda prefect: prefect.set_flow_run_state(run.id, state, force=True))

    def _ask(self, question: Callable[[SyncPrefectClient], T]) -> T:
        try:
            with self._client() as prefect:
                return question(prefect)
        except ObjectNotFound:
            self._deployments.clear()  # Prefect's database was made anew
            raise Gone(say("Prefect does not know the run."), "404") from None
        except httpx.HTTPStatusError as error:
            raise _meaning(error.response.status_code) from None
        except httpx.HTTPError as error:
            raise Unavailable(say("Prefect does not answer."), type(error).__name__) from None

    def _client(self) -> SyncPrefectClient:
        transport = {"timeout": httpx.Timeout(10, connect=2), "verify": self._trust}
        return SyncPrefectClient(
            self._settings.address, auth_string=self._settings.auth.get_secret_value() or None, httpx_settings=transport
        )


def _meaning(status: int) -> ConnectorError:
    if status in (401, 403):
        return Misconfigured(say("Prefect refuses our credential."), str(status))
    if status == 404:
        return Gone(say("Prefect does not know the run."), "404")
    return Unavailable(say("Prefect does not answer."), str(status))


def _key(request: UUID, generation: int) -> str:
    return f"{request}:{generation}"


def _seen(run: FlowRun) -> RunSeen:
    return RunSeen(run.id, run.state.name or "" if run.state else "", run.name)


def _line(line: Log, steps: dict[UUID, str]) -> LogLine:
    step = steps.get(line.task_run_id, NAMELESS) if line.task_run_id else None
    return LogLine(line.timestamp, logging.getLevelName(line.level).lower(), step, _plain(line.message))


def _plain(message: str) -> str:
    """`Finished in state Completed()` is how Prefect's objects look in Python: the name of the state and its words are enough."""
    if not (ended := ENDED.fullmatch(message)):
        return message
    state, words = ended[1], ended[2].strip("'\"")
    return f"finished: {state}, {words}" if words else f"finished: {state}"
