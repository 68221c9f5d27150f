"""What the pages load: files of others as they came, icons that exist, nothing inline that the content security policy would refuse."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "web" / "static"
VENDOR = STATIC / "vendor"
PAGES = [path for path in (ROOT / "templates").rglob("*.html") if "mail" not in path.parts]
SPRITE = re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text())


def test_every_vendored_file_is_unmodified_and_written_down() -> None:
    lines = (VENDOR / "VENDORED.md").read_text().splitlines()
    written = dict(reversed(line.split("  ", 1)) for line in lines if re.match(r"[0-9a-f]{128}  ", line))
    there = {
        str(path.relative_to(VENDOR)): hashlib.sha512(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDORED.md"
    }
    assert there == written


def test_the_font_is_never_without_its_own_notice() -> None:
    places = {path.parent for house in ("web", "infra", "templates") for path in (ROOT / house).rglob("*.woff*")}
    assert len(places) == 2  # the pages', and the copies for the pages of Keycloak
    for place in places:
        notice = (place / "LICENSE-Roboto.txt").read_text()
        assert "Copyright 2011 Google Inc." in notice
        assert "Apache License\n                           Version 2.0, January 2004" in notice
        assert "END OF TERMS AND CONDITIONS" in notice


@pytest.mark.parametrize("told", ["README.md", "web/static/vendor/VENDORED.md"])
def test_whoever_reads_about_licences_reads_of_every_one(told: str) -> None:
    said = (ROOT / told).read_text().partition("icence")[2]
    assert [name for name in ("EUPL-1.2", "Apache-2.0", "0BSD", "Roboto", "Google") if name not in said] == []


def test_the_base_page_loads_every_vendored_style_sheet_and_no_other() -> None:
    loaded = re.findall(r'"((?:fonts|styles|templates)/[^"]+)"', (ROOT / "templates" / "base.html").read_text())
    assert sorted(loaded) == sorted(str(sheet.relative_to(VENDOR / "gov").with_suffix("")) for sheet in VENDOR.rglob("*.css"))


def test_every_icon_of_the_sprite_is_used_by_a_template() -> None:
    said = "".join(path.read_text() for path in PAGES)
    assert [icon for icon in SPRITE if f'"{icon}"' not in said] == []


def test_a_template_names_only_icons_of_the_sprite() -> None:
    call = re.compile(r'(?:\bicon|gov_icon|badge)\("([^"]+)"|icon_(?:start|end)="([^"]+)"')
    named = {name for path in PAGES for pair in call.findall(path.read_text()) for name in pair if name}
    assert named
    assert sorted(named - set(SPRITE)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_carries_no_inline_script_nor_style(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:|hx-on", text) == []
