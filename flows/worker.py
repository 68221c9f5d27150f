"""The worker: takes released runs from Prefect and carries them out in this process, which has everything imported already.

`InProcessWorker` is a subclass of Prefect's BaseWorker, its documented extension point (docs.prefect.io, "Develop a custom worker").
The server's events wake it, so a released run begins within a second; a slow poll is there for events that were dropped. Several
workers on several machines may share the work pool: a run is claimed by one of them.
"""

import asyncio
import functools
import importlib
import os
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
import structlog
from prefect import Flow, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import refresh_global_settings_context
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow_sync
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.launch import FLOWS
from flows.settings import Prefect, load

log = structlog.get_logger()
POLL_SECONDS = 5.0
LETS_GO_SECONDS = 0.2
WAKES = ["prefect.flow-run.Scheduled", "prefect.flow-run.AwaitingRetry"]


class InProcessResult(BaseWorkerResult):
    """Where the run was: the process id of the worker."""


class InProcessWorker(BaseWorker[BaseJobConfiguration, BaseVariables, InProcessResult]):
    type = "nastup"
    job_configuration = BaseJobConfiguration
    job_configuration_variables = BaseVariables
    _description = "Runs the flows of the onboarding portal in the worker's own process."

    async def run(
        self, flow_run: FlowRun, configuration: BaseJobConfiguration, task_status: anyio.abc.TaskStatus[int] | None = None
    ) -> InProcessResult:
        """Carries out one run in a thread of its own. Pause and Abort are ends that the flow already reported."""
        if task_status:
            task_status.started(os.getpid())
        flow = await self._flow(flow_run)
        call = functools.partial(run_flow_sync, flow, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
        try:
            await anyio.to_thread.run_sync(call, limiter=self._threads)
        except (Pause, Abort):
            log.info("run left to another worker", run=str(flow_run.id))
        # Prefect holds the run for a moment more; one that was released again meanwhile was passed over
        asyncio.get_running_loop().call_later(LETS_GO_SECONDS, self.look_again.set)
        return InProcessResult(identifier=str(os.getpid()), status_code=0)

    @functools.cached_property
    def look_again(self) -> asyncio.Event:
        return asyncio.Event()

    @functools.cached_property
    def _threads(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(load().need(Prefect).concurrency)

    async def _flow(self, flow_run: FlowRun) -> Flow[Any, Any]:
        if flow_run.deployment_id not in _flows:
            deployment = await self.client.read_deployment(flow_run.deployment_id or UUID(int=0))
            name = next(name for name in FLOWS.values() if deployment.name == "default" and deployment.entrypoint == entrypoint(name))
            _flows[flow_run.deployment_id] = flow_of(name)
        return _flows[flow_run.deployment_id]


_flows: dict[UUID | None, Flow[Any, Any]] = {}


def flow_of(name: str) -> Flow[Any, Any]:
    """The flow `onboard-employee` is `flows.onboard_employee.onboard_employee`."""
    module = name.replace("-", "_")
    return getattr(importlib.import_module(f"flows.{module}"), module)


def entrypoint(name: str) -> str:
    module = name.replace("-", "_")
    return f"flows/{module}.py:{module}"


def run() -> None:
    """Makes the work pool and deployments where they are missing and works until it is told to stop."""
    settings = load().need(Prefect)
    os.environ["PREFECT_API_URL"] = settings.address
    if settings.auth.get_secret_value():
        os.environ["PREFECT_API_AUTH_STRING"] = settings.auth.get_secret_value()
    refresh_global_settings_context()  # Prefect read its environment when it was imported
    for name in FLOWS.values():
        flow_of(name)  # imported before the first run is taken
    anyio.run(_work, settings)


async def _work(settings: Prefect) -> None:
    worker = InProcessWorker(
        work_pool_name=settings.work_pool, create_pool_if_not_found=True, limit=settings.concurrency, prefetch_seconds=0
    )
    async with worker, anyio.create_task_group() as group:
        await worker.sync_with_backend()
        await _deploy(settings)
        group.start_soon(_wake, worker)
        log.info("worker works", pool=settings.work_pool, pid=os.getpid())
        while True:
            worker.look_again.clear()
            await _take(worker)
            with anyio.move_on_after(POLL_SECONDS):
                await worker.look_again.wait()


async def _take(worker: InProcessWorker) -> None:
    try:
        await worker.sync_with_backend()
        await worker.get_and_submit_flow_runs()
    except Exception as fault:  # Prefect is away: look again
        log.warning("cannot ask Prefect", fault=type(fault).__name__)


async def _wake(worker: InProcessWorker) -> None:
    """Listens to the server's events. A lost connection is made anew; meanwhile the poll works."""
    wanted = EventFilter(event=EventNameFilter(name=WAKES))
    while True:
        try:
            async with get_events_subscriber(filter=wanted) as events:
                async for _ in events:
                    await worker.get_and_submit_flow_runs()
        except Exception as fault:
            log.warning("events of Prefect are not heard", fault=type(fault).__name__)
            await asyncio.sleep(1)


async def _deploy(settings: Prefect) -> None:
    """One deployment per flow, in this work pool; again = the same."""
    async with get_client() as client:
        for name in FLOWS.values():
            flow = await client.create_flow(flow_of(name))
            await client.create_deployment(
                flow_id=flow, name="default", work_pool_name=settings.work_pool, entrypoint=entrypoint(name), enforce_parameter_schema=False
            )
