"""Named places where a test lets the process die. Without the setting `provisioning.crash_at` they do nothing.

Every step passes `before_call`, `after_call` and `after_commit`, so a test that enumerates the steps covers every present and future one.
The dispatcher passes `outbox.<topic>:after_call` and `letter.<kind>:after_call`: something happened outside and is not committed here.
"""

import os

from flows.settings import load


def crash_point(name: str) -> None:
    """Ends the process at once, as kill -9 would: no `finally`, no answer to Prefect, the lease stays."""
    if load().provisioning.crash_at == name:
        os._exit(137)
