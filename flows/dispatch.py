"""The dispatcher: turns rows into deeds. Several may run; each row is one dispatcher's (SKIP LOCKED). It needs no Prefect to live.

Each duty has a thread of its own, so a slow mail server does not hold back a decision. PostgreSQL wakes them (LISTEN); a slow clock
wakes them too, for what became due by itself and for what a lost connection did not tell.
"""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from flows import deeds, observe, postbox, upkeep
from flows.settings import Database, load

log = structlog.get_logger()


@dataclass(frozen=True)
class Duty:
    """`work` does what is due and answers whether there may be more at once; `pause` seconds pass at most between two looks."""

    name: str
    work: Callable[[], bool]
    pause: float
    tables: frozenset[str] = frozenset()
    wake: threading.Event = field(default_factory=threading.Event)


def duties() -> list[Duty]:
    return [
        Duty("outbox", deeds.work, pause=2, tables=frozenset({"outbox"})),
        Duty("letters", postbox.work, pause=5, tables=frozenset({"letter"})),
        Duty("questions", observe.work, pause=5, tables=frozenset({"lookup"})),
        Duty("upkeep", upkeep.work, pause=5),
    ]


def run(stop: threading.Event | None = None) -> None:
    """Works until it is told to stop (SIGTERM, SIGINT, or the event)."""
    stop = stop or _stopped_by_signals()
    mine = duties()
    threads = [threading.Thread(target=_until, args=(stop, duty), name=duty.name) for duty in mine]
    threads.append(threading.Thread(target=_listen, args=(stop, mine), name="listen"))
    for thread in threads:
        thread.start()
    log.info("dispatcher works", duties=[duty.name for duty in mine])
    stop.wait()
    for duty in mine:
        duty.wake.set()
    for thread in threads:
        thread.join()


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _until(stop: threading.Event, duty: Duty) -> None:
    while not stop.is_set():
        try:
            if duty.work():
                continue
        except Exception as fault:  # a duty never dies: what it met is said, and it looks again after its pause
            known = isinstance(fault, SQLAlchemyError)
            log.warning("duty failed", duty=duty.name, fault=type(fault).__name__, exc_info=not known)
        duty.wake.wait(duty.pause)
        duty.wake.clear()


def _listen(stop: threading.Event, mine: list[Duty]) -> None:
    dsn = make_url(load().need(Database).url.get_secret_value()).set(drivername="postgresql").render_as_string(hide_password=False)
    while not stop.is_set():
        try:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
                connection.execute("LISTEN nastup")
                while not stop.is_set():
                    for told in connection.notifies(timeout=1):
                        for duty in mine:
                            if told.payload in duty.tables:
                                duty.wake.set()
        except psycopg.Error as fault:
            log.warning("not listening", fault=type(fault).__name__)
            stop.wait(1)
