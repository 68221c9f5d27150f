"""Log lines of all our processes: to standard error, as text or as JSON (NASTUP_LOG_FORMAT).

A traceback shows lines of code and never the values of variables: those are personal data.
"""

import logging

import structlog

from flows.settings import load


def configure() -> None:
    """Called once, first thing in a process."""
    if load().log_format == "json":
        last: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
