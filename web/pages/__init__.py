"""One router per screen. Screens do not know each other."""

from web.pages import (
    absences,
    audit,
    check_employee,
    closed_days,
    decision,
    evidence,
    health,
    home,
    new_employee,
    organisations,
    people,
    plain,
    preferences,
    queue,
    requests,
    runs,
    together,
)

# paths with fixed words come before paths with a number in the same place
ROUTERS = tuple(
    screen.router
    for screen in (
        health,
        home,
        new_employee,
        check_employee,
        requests,
        evidence,
        queue,
        together,
        decision,
        runs,
        closed_days,
        organisations,
        absences,
        people,
        audit,
        plain,
        preferences,
    )
)
