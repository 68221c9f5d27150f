"""A step is an effect with a memory: the one place that knows the ledger, the retry rule and what each error means.

A finished row answers without a call. The intent is committed before the first byte leaves, the result is written under the fence.
Only `Unavailable` is retried, by Prefect, with waits that we compute (exponential, capped, jitter derived from request and step) and
write with each attempt, so a page can say when the next one is.
"""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec

import structlog
from prefect import task
from prefect.cache_policies import NO_CACHE
from sqlalchemy.exc import OperationalError

from flows.approval.people import Regional
from flows.connectors.base import Conflict, ConnectorError, Gone, Held, Misconfigured, Refused, System, Unavailable
from flows.model import EffectState
from flows.provisioning import ledger
from flows.provisioning.crash import crash_point
from flows.provisioning.work import LostLease, Work
from flows.sentence import Sentence, say
from flows.settings import load

log = structlog.get_logger()
P = ParamSpec("P")
Body = Callable[Concatenate[Work, P], Held]


class TryAgain(Exception):
    """For Prefect: this step is repeated. Says the system and nothing personal, because Prefect keeps the text of exceptions."""


class WaitLonger(Exception):
    """The server asked for more patience than a step has: the run ends and is released at `until`."""

    def __init__(self, until: datetime, sentence: Sentence, detail: str) -> None:
        super().__init__("wait longer")
        self.until, self.sentence, self.detail = until, sentence, detail


class NeedsPerson(Exception):
    """The step cannot go on without somebody: who, why, and the technical detail."""

    def __init__(self, sentence: Sentence, detail: str, owner: Regional) -> None:
        super().__init__("needs a person")
        self.sentence, self.detail, self.owner = sentence, detail, owner


@dataclass(frozen=True)
class Step:
    system: System
    name: str
    proves: bool

    @property
    def key(self) -> str:
        """How the ledger and the crash points call it: `keycloak.ensure account`."""
        return f"{self.system}.{self.name}"


STEPS: dict[str, Step] = {}  # every step there is, for the crash-point test and the pages


def effect(system: System, name: str, *, proves: bool = False) -> Callable[[Body[P]], Body[P]]:
    """Makes a function an effect of the ledger. `proves`: what it holds is a proof, not a thing."""
    step = Step(system, name, proves)
    STEPS[step.key] = step

    def remember(body: Body[P]) -> Body[P]:
        @functools.wraps(body)
        def run(work: Work, *args: P.args, **kwargs: P.kwargs) -> Held:
            work.go_on()
            if held := ledger.finished(work, step.key):
                return held
            waits = waits_of(work, step)
            once = functools.partial(_attempt, work, step, waits, functools.partial(body, work, *args, **kwargs))
            again: Any = task(
                name=step.key,
                task_run_name=step.key,  # without Prefect's random ending: IT reads it in the log
                retries=len(waits),
                retry_delay_seconds=waits,
                retry_condition_fn=_worth_retrying,
                cache_policy=NO_CACHE,
                persist_result=False,
            )(_call)
            outcome: Held | Exception = again(once)
            if isinstance(outcome, Held):
                return outcome
            raise outcome

        return run

    return remember


def waits_of(work: Work, step: Step) -> list[float]:
    """Seconds before the second, third, ... try: exponential, capped, with a jitter that is the same whenever this request is tried."""
    settings = load().provisioning
    chance = random.Random(f"{work.request}:{step.key}")
    doubled = (settings.first_wait_seconds * 2**n for n in range(settings.attempts - 1))
    return [round(min(wait, settings.longest_wait_seconds) * chance.uniform(0.8, 1.2), 2) for wait in doubled]


def _call(once: Callable[[], Any]) -> Any:
    """Prefect keeps the text of what a task raises, so nothing but TryAgain is raised: the flow raises the rest."""
    try:
        return once()
    except TryAgain:
        raise
    except Exception as other:
        return other


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgain)


def _attempt(work: Work, step: Step, waits: list[float], body: Callable[[], Held]) -> Held | Exception:
    """One try. Raises TryAgain for Prefect; every other bad end is answered as an exception that the flow raises.

    So Prefect, which keeps the text of what a task raises, learns nothing of it.
    """
    work.go_on()
    n, began = ledger.intend(work, step.key, step.system, len(waits) + 1)
    crash_point(f"{step.key}:before_call")
    try:
        held = body()
    except (LostLease, OperationalError):
        raise
    except Exception as fault:
        return _failed(work, step, waits, n, began, fault)
    crash_point(f"{step.key}:after_call")
    ledger.hold(work, step.key, n, began, held, proved=step.proves)
    log.info("step done", number=work.number, step=step.key, attempt=n, made=held.created)
    crash_point(f"{step.key}:after_commit")
    return held


def _failed(work: Work, step: Step, waits: list[float], n: int, began: datetime, fault: Exception) -> Exception:
    log.warning(
        "step failed",
        number=work.number,
        step=step.key,
        attempt=n,
        fault=type(fault).__name__,
        exc_info=not isinstance(fault, ConnectorError),
    )
    match fault:
        case Unavailable():
            return _unavailable(work, step, waits, n, began, fault)
        case Gone() if n <= len(waits):  # more often than that, somebody removes it each time
            ledger.fail(work, step.key, n, began, ledger.Ending(EffectState.UNKNOWN, "gone", fault.sentence, fault.detail))
            ledger.forget(work)
            return WaitLonger(datetime.now().astimezone() + timedelta(seconds=waits[0]), fault.sentence, fault.detail)
        case Conflict():
            owner = Regional.REGION_IT
        case Refused() | Misconfigured() | _:
            owner = Regional.IT
    sentence = (
        fault.sentence
        if isinstance(fault, ConnectorError)
        else say("Our program made a mistake in this step. It has to be looked at by IT.")
    )
    detail = fault.detail if isinstance(fault, ConnectorError) else f"{type(fault).__name__}: {fault}"
    outcome = type(fault).__name__.lower() if isinstance(fault, ConnectorError) else "bug"
    ledger.fail(work, step.key, n, began, ledger.Ending(EffectState.FAILED, outcome, sentence, detail, owner=owner.value))
    return NeedsPerson(sentence, detail, owner)


def _unavailable(work: Work, step: Step, waits: list[float], n: int, began: datetime, fault: Unavailable) -> Exception:
    tried = _tries_of_this_run()
    if tried > len(waits):
        ledger.fail(
            work,
            step.key,
            n,
            began,
            ledger.Ending(EffectState.FAILED, "unavailable", fault.sentence, fault.detail, owner=Regional.IT.value),
        )
        return NeedsPerson(fault.sentence, fault.detail, Regional.IT)
    wait = waits[tried - 1]
    patient = max(wait, fault.after or 0)
    until = datetime.now().astimezone() + timedelta(seconds=patient)
    ledger.fail(work, step.key, n, began, ledger.Ending(EffectState.UNKNOWN, "unavailable", fault.sentence, fault.detail, until))
    if patient > wait:
        return WaitLonger(until, fault.sentence, fault.detail)
    raise TryAgain(f"{step.system} does not answer, try {tried} of {len(waits) + 1}") from None


def _tries_of_this_run() -> int:
    from prefect.context import TaskRunContext

    context = TaskRunContext.get()
    return context.task_run.run_count if context else 1
