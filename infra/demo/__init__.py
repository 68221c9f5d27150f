"""The first employee: one real person taken through the portal's own pages to the proof, and proved again at every later start."""

import imaplib
import smtplib
from typing import Any

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from flows.connectors.base import ConnectorError
from infra.demo.first_day import FirstDay
from infra.demo.proof import show
from infra.demo.trouble import NotProved
from infra.operating import operating
from infra.state import State

__all__ = ["NotProved", "first_employee"]

FAULTS = (httpx2.HTTPError, OSError, imaplib.IMAP4.error, smtplib.SMTPException, SQLAlchemyError, ConnectorError)


def first_employee(state: State) -> dict[str, Any]:
    """Takes her through everything, or proves her again when an earlier start did. Prints the proof and answers it.

    Raises NotProved with a sentence and the way out.
    """
    try:
        with operating(state):
            proof = FirstDay(state).prove()
    except FAULTS as fault:
        raise NotProved(
            f"The first employee was not taken to the end: {type(fault).__name__}: {str(fault)[:300]}. What the servers said is in "
            f"{state.path('log')}; the next `{state.command('run')}` goes on where this one stopped."
        ) from fault
    show(proof)
    return proof
