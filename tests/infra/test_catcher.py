"""The page of the demo's outside world: letters to read, links that can be pressed, and nothing at addresses without a letter."""

import threading
from collections.abc import Iterator
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import httpx2
import pytest

from infra.servers import catcher
from tests.web.client import Page

LINK = "https://id.kraj.example/login-actions/action-token?key=eyJh.b&client_id=portal&tab=1"


@pytest.fixture
def letters(tmp_path: Path) -> catcher.Letters:
    return catcher.Letters(tmp_path)


@pytest.fixture
def browser(letters: catcher.Letters) -> Iterator[httpx2.Client]:
    server = catcher.pages(letters, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
        yield client
    server.shutdown()
    server.server_close()
    thread.join()


def keep(letters: catcher.Letters, text: str) -> str:
    letter = EmailMessage()
    letter["Subject"] = "Aktivace"
    letter.set_content(text)
    letters.keep("id@kraj.example", ["zofie@posta.cz"], bytes(letter))
    return letters.all()[-1]["id"]


@pytest.mark.parametrize("around", ["<%s>", '"%s"', "'%s'", "(%s)", "%s.", "%s, a pak", "Jan & syn <jan@posta.cz>: %s", "%s\n\nDěkujeme"])
def test_a_link_is_the_link_and_not_what_stands_around_it(letters: catcher.Letters, browser: httpx2.Client, around: str) -> None:
    answer = browser.get(f"/letters/{keep(letters, around % LINK)}")
    assert [link for link in Page(answer).links if link.startswith("http")] == [LINK]
    assert around % LINK in unescape(
        answer.text.replace(f"<a href='{LINK.replace('&', '&amp;')}' rel='noreferrer'>", "").replace("</a>", "")
    )


def test_markup_in_a_letter_is_text(letters: catcher.Letters, browser: httpx2.Client) -> None:
    page = browser.get(f"/letters/{keep(letters, '<script>alert(1)</script> https://x.example/<img src=x>')}").text
    assert "<script>" not in page
    assert "<img" not in page


def test_a_letter_is_shown_as_it_came(letters: catcher.Letters, browser: httpx2.Client) -> None:
    assert "Subject: Aktivace" in browser.get(f"/letters/{keep(letters, LINK)}/source").text


# ---- refused


@pytest.mark.parametrize(
    "path", ["/letters/1", "/letters/1/source", "/letters/", "/letters/..%2Fx", "/letters/%C2%B2", "/x", "/letters.json/"]
)
def test_an_address_without_a_letter_is_not_there(letters: catcher.Letters, browser: httpx2.Client, path: str) -> None:
    keep(letters, LINK)
    assert browser.get(path).status_code == 404
