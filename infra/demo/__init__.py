"""The first employee: one real person taken through the portal's own pages to the proof, and proved again at every later start."""

import imaplib
import secrets
import smtplib
import time
from typing import Any

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from flows.approval import operator
from flows.connectors.base import ConnectorError
from infra.demo import portal, records, repeats
from infra.demo.browser import Browser
from infra.demo.catcher import letter_to, link_in
from infra.demo.mailbox import OwnMail, use_mailbox
from infra.demo.people import activate, mail_token
from infra.demo.proof import as_dict, show
from infra.demo.story import NAME, PRIVATE, Story, answers, approver, director, remember, remembered
from infra.demo.trouble import NotProved
from infra.operating import operating
from infra.progress import say_line
from infra.state import State

__all__ = ["NotProved", "first_employee"]

FAULTS = (httpx2.HTTPError, OSError, imaplib.IMAP4.error, smtplib.SMTPException, SQLAlchemyError, ConnectorError)


def first_employee(state: State) -> dict[str, Any]:
    """Takes her through everything, or proves her again when an earlier start did. Prints the proof and answers it.

    Raises NotProved with a sentence and the way out.
    """
    try:
        with operating(state):
            proof = _taken_through(state)
    except FAULTS as fault:
        raise NotProved(
            f"The first employee was not taken to the end: {type(fault).__name__}: {fault}. What the servers said is in "
            f"{state.path('log')}; the next `python3 -m infra run` goes on where this one stopped."
        ) from fault
    show(proof)
    return proof


def _taken_through(state: State) -> dict[str, Any]:
    story, began = remembered(state), time.time()
    known = bool(story.number) and records.ledger(story.number).state == "done" and story.credentials is not None
    if known:
        story = _proved_again(state, story)
    else:
        story = _filed(state, story)
        _approved(state, story)
        _carried_out(state, story)
        story = _activated(state, story, began)
    mail = _mail_used(state, story)
    before = records.ledger(story.number)
    if not known:  # the repeats empty the ledger, and the attempts with it
        story = remember(state, story, seconds=before.seconds)
    repeat = repeats.prove_repeats(state, story.number, records.person_of(story.number))
    say_line(
        f"repeated twice: nothing was written; with an empty ledger everything was found again ({sum(repeat['seconds'].values()):.1f} s)"
    )
    return as_dict(state, story, before, mail, repeat, records.activation_state(story.number))


def _filed(state: State, story: Story) -> Story:
    if story.number:
        return story
    clock = time.monotonic()
    with Browser() as browser:
        portal.enter(state, browser, director())
        page, number = portal.file_employee(state, browser, answers())
        story = remember(state, story, number=number)
        portal.leave(browser, page)
    say_line(f"{director().name} filed {number} for {NAME} ({time.monotonic() - clock:.1f} s)")
    return story


def _approved(state: State, story: Story) -> None:
    if records.ledger(story.number).state != "waiting_approval":
        return
    clock = time.monotonic()
    with Browser() as browser:
        portal.enter(state, browser, approver())
        portal.leave(browser, portal.approve(state, browser, story.number))
    say_line(f"{approver().name} approved it with a second factor ({time.monotonic() - clock:.1f} s)")


def _carried_out(state: State, story: Story) -> None:
    clock = time.monotonic()
    with Browser() as browser:
        portal.enter(state, browser, director())
        page = portal.wait_until_ended(state, browser, story.number)
        portal.leave(browser, page)
    if (reached := portal.state_on(page)) != "done":
        raise NotProved(
            f"{story.number} ended as {reached}. The page says: {page.says} IT sees the attempts at "
            f"{state.address('portal')}/runs/{story.number} and can try again there; then repeat the command."
        )
    say_line(f"the flow is done: account, mailbox and backup are there and proved ({time.monotonic() - clock:.1f} s of watching)")


def _activated(state: State, story: Story, since: float) -> Story:
    if story.credentials:
        return story
    clock = time.monotonic()
    held = records.ledger(story.number)
    story = remember(
        state,
        story,
        user_name=str(held.fact("keycloak.ensure account", "user_name")),
        address=str(held.fact("mail.ensure mailbox", "address")),
    )
    letter, password = letter_to(state, PRIVATE, since - 3600), "-".join(secrets.token_hex(3) for _ in range(3))
    with Browser() as browser:
        activate(browser, link_in(letter), password, lambda kept: remember(state, story, password=kept.password, seed=kept.seed) and None)
    story = remembered(state)
    say_line(f"{NAME} opened the link from {PRIVATE} and set a password and a second factor ({time.monotonic() - clock:.1f} s)")
    return story


def _proved_again(state: State, story: Story) -> Story:
    clock = time.monotonic()
    before = repeats.wait_for_rest(story.number)
    operator.prove_again(story.number)
    repeats.wait_for_rest(story.number, after=before)
    say_line(f"{NAME} ({story.number}) proved again, nothing filed ({time.monotonic() - clock:.1f} s)")
    return story


def _mail_used(state: State, story: Story) -> OwnMail:
    clock = time.monotonic()
    if (credentials := story.credentials) is None:
        raise NotProved("Nobody remembers the password of the first employee: `python3 -m infra reset` and start anew.")
    mail = use_mailbox(state, story.address, mail_token(state, story.user_name, credentials))
    say_line(f"she logged in to IMAP with her own token of Keycloak, wrote by SMTP and read it ({time.monotonic() - clock:.1f} s)")
    return mail
