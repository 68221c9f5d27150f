"""How long a step is patient with a server, with the settings as they are shipped."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import flows.onboard_employee  # noqa: F401 - names the steps
from flows.provisioning.steps import STEPS, waits_of
from flows.provisioning.work import Work
from flows.settings import Provisioning

PLAN: Any = None  # waits depend on the request and the step only


@given(request=st.uuids(), step=st.sampled_from(sorted(STEPS)))
def test_a_server_may_be_down_for_two_minutes_before_a_person_is_asked(request: Any, step: str) -> None:
    waits = waits_of(Work(request, "P-2026-0042", PLAN, 1), STEPS[step])
    assert 119 < sum(waits) < 181


@given(request=st.uuids(), step=st.sampled_from(sorted(STEPS)))
def test_a_server_that_is_back_is_noticed_within_forty_seconds(request: Any, step: str) -> None:
    assert max(waits_of(Work(request, "P-2026-0042", PLAN, 1), STEPS[step])) < 40


def test_a_step_is_tried_again_soon_at_first() -> None:
    assert Provisioning().first_wait_seconds <= 2  # pyright: ignore[reportCallIssue]
