"""The private mailbox of the employee: in the demo, the catcher that takes every letter that would leave our domains."""

import re
import time
from typing import Any

import httpx2

from infra.demo.trouble import NotProved
from infra.state import State

ARRIVES_WITHIN = 40  # seconds


def letter_to(state: State, address: str) -> dict[str, Any]:
    """The newest letter to that address that holds a link of Keycloak; waited for."""
    ends = time.monotonic() + ARRIVES_WITHIN
    while time.monotonic() < ends:
        letters = httpx2.get(f"{state.address('catcher')}/letters.json", timeout=10).raise_for_status().json()
        mine = [each for each in letters if address in each["recipients"] and "action-token" in each["text"]]
        if mine:
            return mine[-1]
        time.sleep(0.3)
    logs = f"{state.path('log', 'postfix-mail.log')} and {state.path('log', 'keycloak.log')}"
    raise NotProved(f"No activation letter came to {address} within {ARRIVES_WITHIN} seconds: see {logs}.")


def link_in(letter: dict[str, Any]) -> str:
    found = re.search(r"https?://[^\s<>\"]*action-token[^\s<>\"]*", letter["text"])
    if not found:
        raise NotProved("The activation letter has no link in its text.")
    return found[0]
