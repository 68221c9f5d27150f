import pytest

from tests.cast import Cast
from tests.web.client import Browser
from tests.web.conftest import LogIn

EVERYBODYS = ["/", "/requests", "/people", "/organisations", "/accessibility", "/privacy"]
WHO_SEES_WHAT = {
    "director": ["/requests/new/employee", "/organisations/gym-opava"],
    "clerk": ["/requests/new/employee"],
    "approver": ["/queue", "/runs", "/organisations/gym-opava", "/organisations/nem-karvina"],
    "founder": ["/queue"],
    "security": ["/queue"],
    "dpo": [],
    "it": ["/runs"],
    "auditor": ["/runs", "/audit"],
}


@pytest.mark.parametrize(("who", "path"), [(who, path) for who, own in WHO_SEES_WHAT.items() for path in [*EVERYBODYS, *own]])
def test_everybody_gets_whole_pages(cast: Cast, log_in: LogIn, who: str, path: str) -> None:
    page = log_in(getattr(cast, who)).get(path)
    assert page.language == "cs"
    assert page.path == path


@pytest.mark.parametrize("path", ["/accessibility", "/privacy", "/activated", "/logout"])
def test_public_pages_need_no_log_in(cast: Cast, stranger: Browser, path: str) -> None:
    assert stranger.get(path).path == path
