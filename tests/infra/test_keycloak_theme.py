"""The theme of Keycloak's pages and letters: complete in both languages, in the letters of the portal."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEME = ROOT / "infra" / "keycloak_theme" / "nastup"
KINDS = ("login", "email")


def messages(kind: str, language: str) -> dict[str, str]:
    lines = (THEME / kind / "messages" / f"messages_{language}.properties").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    assert len({key for key, _ in pairs}) == len(pairs)
    return {pair[0]: pair[1] for pair in pairs}


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_there_in_czech_and_in_english_with_the_same_values(kind: str) -> None:
    czech, english = messages(kind, "cs"), messages(kind, "en")
    assert czech.keys() == english.keys()
    assert [key for key in czech if set(re.findall(r"\{\d\}", czech[key])) != set(re.findall(r"\{\d\}", english[key]))] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["cs", "en"])
def test_an_apostrophe_is_doubled_because_one_swallows_the_values_behind_it(kind: str, language: str) -> None:
    assert [key for key, text in messages(kind, language).items() if re.search(r"(?<!')'(?!')", text)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_ours_that_a_template_says_exists(kind: str) -> None:
    said = {name for path in (THEME / kind).rglob("*.ftl") for name in re.findall(r'msg\("(nastup\w+)"', path.read_text())}
    assert said
    assert sorted(said - messages(kind, "cs").keys()) == []


def test_the_letters_are_those_of_the_portal() -> None:
    vendored = ROOT / "web" / "static" / "vendor" / "gov" / "fonts"
    copies = list((THEME / "login" / "resources" / "fonts").glob("*.woff2"))
    assert copies
    assert [font.name for font in copies if font.read_bytes() != (vendored / font.name).read_bytes()] == []


@pytest.mark.parametrize(("language", "begins"), [("cs", r"(Zvol|Nastav)te si |.*aktivujte "), ("en", r"Choose |Set up |.*activate ")])
def test_the_heading_of_every_step_of_the_activation_says_what_to_do(language: str, begins: str) -> None:
    said = messages("login", language)
    headings = [said[key] for key in ("nastupActivationTitle", "loginTotpTitle", "updatePasswordTitle")]
    assert [heading for heading in headings if not re.match(begins, heading)] == []
