"""What the demo's browser without JavaScript makes of a page."""

from infra.demo.browser import Page
from infra.demo.markup import read

PAGE = """<!doctype html><html><head><title>Žádost – Nástup</title><script>var form = "<form>";</script></head><body>
<p role="alert">Opravte <b>dvě</b> věci.</p><div id="progress" data-state="running"></div>
<a href="../queue/P-2026-0001?x=1&amp;y=2">Otevřít</a>
<form action="/go?a=1&amp;b=2" method="POST">
  <input type="hidden" name="key" value="&quot;k&quot;"><input name="given" value="Žofie"><input name="off" value="x" disabled>
  <input type="radio" name="decision" value="approve"><input type="radio" name="decision" value="refuse" checked>
  <input type="checkbox" name="agree"><select name="contract"><option value="a">A<option value="b" selected>B</select>
  <textarea name="reason">Jeden
řádek</textarea><button name="action" value="save">Uložit</button></form>
<form><input name="q"></form></body></html>"""


def page() -> Page:
    return Page("http://127.0.0.1:1/requests/new", 200, PAGE)


def test_a_form_holds_what_a_browser_would_send():
    form = page().form("given", "decision")
    assert form is not None
    assert (form.action, form.method) == ("http://127.0.0.1:1/go?a=1&b=2", "post")
    assert form.fields == {"key": '"k"', "given": "Žofie", "decision": "refuse", "contract": "b", "reason": "Jeden\nřádek"}


def test_a_field_without_a_value_is_still_a_field_of_the_form():
    form = page().form("agree")
    assert form is not None
    assert "agree" not in form.fields


def test_a_disabled_field_is_not_there():
    assert page().form("off") is None


def test_links_are_absolute_and_found_by_a_part():
    assert page().link("/queue/") == "http://127.0.0.1:1/queue/P-2026-0001?x=1&y=2"
    assert page().link("/nowhere") is None


def test_a_page_reads_out_its_alert_and_its_marks():
    assert page().says == "Opravte dvě věci."
    assert page().content.marks["progress"]["data-state"] == "running"
    assert page().content.title == "Žádost – Nástup"


def test_a_page_without_an_alert_reads_out_how_it_begins():
    assert read("<title>Chyba</title><h1>404</h1><style>p{}</style>", "http://x/").words == ["404"]
    assert Page("http://x/", 404, "<title>Chyba</title><h1>404</h1>").says == "Chyba: 404"
