"""Her first day, step by step. Every step looks whether an earlier start did it already, so a start that was cut off is gone on with."""

import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from flows.approval import operator
from flows.connectors import registry
from infra.demo import portal, records, repeats
from infra.demo.browser import Browser
from infra.demo.catcher import letter_to, link_in
from infra.demo.mailbox import OwnMail, use_mailbox
from infra.demo.people import activate, mail_token
from infra.demo.proof import as_dict
from infra.demo.story import NAME, PRIVATE, answers, approver, director, remember, remembered
from infra.demo.trouble import NotProved
from infra.progress import say_line
from infra.seed.credentials import Credentials, forget_credentials
from infra.state import State

SEEN_WITHIN = 60  # seconds until the dispatcher has noticed that the link was used


class FirstDay:
    """Inside `operating(state)`. `seconds`: how long each step of this start took."""

    def __init__(self, state: State) -> None:
        self.state, self.story = state, remembered(state)
        self.seconds: dict[str, float] = {}

    def prove(self) -> dict[str, Any]:
        if self.story.seconds:
            self._prove_again()
        else:
            self._file()
            self._approve()
            self._watch()
            self._activate()
        mail = self._use_mailbox()
        activation = self._activation_over()
        held = records.ledger(self.story.number)
        if not self.story.seconds:  # the repeats empty the ledger, and its attempts with it
            self._remember(seconds=self.seconds | dict(held.seconds))
        with self._step("repeats", "repeated twice: nothing was written; with an empty ledger everything was found again"):
            repeat = repeats.prove_repeats(self.state, self.story.number, records.person_of(self.story.number))
        return as_dict(self.state, self.story, held, mail, repeat, activation)

    def _file(self) -> None:
        if number := self.story.number or records.filed(director().id, answers()["personal_number"]):
            self._remember(number=number)
            return
        with self._step("filing", f"{director().name} filed a request for {NAME}"), Browser() as browser:
            portal.enter(self.state, browser, director())
            page, number = portal.file_employee(self.state, browser, answers())
            self._remember(number=number)
            portal.leave(browser, page)

    def _approve(self) -> None:
        if records.ledger(self.story.number).state != "waiting_approval":
            return
        with self._step("deciding", f"{approver().name} approved {self.story.number} with a second factor"), Browser() as browser:
            portal.enter(self.state, browser, approver())
            portal.leave(browser, portal.approve(self.state, browser, self.story.number))

    def _watch(self) -> None:
        if self.story.address:
            return
        with self._step("watching", "the flow is done: account, mailbox and backup are there and proved"), Browser() as browser:
            portal.enter(self.state, browser, director())
            page = portal.wait_until_ended(self.state, browser, self.story.number)
            portal.leave(browser, page)
            if (reached := portal.state_on(page)) != "done":
                raise NotProved(
                    f"{self.story.number} ended as {reached}. The page says: {page.says} IT sees the attempts at "
                    f"{self.state.address('portal')}/runs/{self.story.number} and can try again there; then repeat the command."
                )
        held = records.ledger(self.story.number)
        user_name, address = held.fact("keycloak.ensure account", "user_name"), held.fact("mail.ensure mailbox", "address")
        self._remember(user_name=str(user_name), address=str(address))

    def _activate(self) -> None:
        seen = registry.identity().credentials(records.person_of(self.story.number))
        if seen.password and seen.second_factors and self.story.credentials:
            return
        if seen.password or seen.second_factors:  # cut off between the two pages; the link asks for both again
            forget_credentials(self.state, str(records.ledger(self.story.number).held["keycloak.ensure account"]["id"]))
        password = "-".join(secrets.token_hex(3) for _ in range(3))

        def remember_them(kept: Credentials) -> None:
            self._remember(password=kept.password, seed=kept.seed)

        with (
            self._step("activation", f"she opened the link that came to {PRIVATE}, set a password and a second factor"),
            Browser() as browser,
        ):
            activate(browser, link_in(letter_to(self.state, PRIVATE)), password, remember_them)

    def _prove_again(self) -> None:
        with self._step("proving", f"{NAME} ({self.story.number}) proved again, nothing filed"):
            before = repeats.wait_for_rest(self.story.number)
            operator.prove_again(self.story.number)
            repeats.wait_for_rest(self.story.number, after=before)

    def _use_mailbox(self) -> OwnMail:
        with self._step("own mail", "she logged in to IMAP with her own token of Keycloak, wrote by SMTP and read it"):
            if (credentials := self.story.credentials) is None:
                raise NotProved(f"Nobody remembers the password of the first employee: `{self.state.command('reset')}`, and start anew.")
            return use_mailbox(self.state, self.story.address, mail_token(self.state, self.story.user_name, credentials))

    def _activation_over(self) -> str:
        """Waits until the dispatcher has seen that the link was used and closed the letter's way: its last write at the mail servers."""
        ends = time.monotonic() + SEEN_WITHIN
        while time.monotonic() < ends:
            activation = records.activation_state(self.story.number)
            if activation == "used" and not records.letters_redirected(self.state, self.story.address):
                return activation
            time.sleep(0.2)
        log = self.state.path("log", "dispatcher.log")
        raise NotProved(f"Nobody has noticed within {SEEN_WITHIN} seconds that the activation link was used: see {log}.")

    def _remember(self, **new: Any) -> None:
        self.story = remember(self.state, self.story, **new)

    @contextmanager
    def _step(self, name: str, done: str) -> Generator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 3)
        say_line(f"{done} ({self.seconds[name]:.1f} s)")
