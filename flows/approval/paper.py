"""The evidence of a request on paper, for people: Czech, accessible (PDF/UA), made without asking anybody anything."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flows import texts
from flows.words import PRAGUE

LANGUAGE = "cs"  # the language of the office, whoever takes it


def printed(whole: Mapping[str, Any], digest: str) -> bytes:
    """The PDF. `digest`: SHA-256 (hex) of evidence.json, so that the paper names what it belongs to."""
    # here and not above: it takes a second, and most processes never print
    import weasyprint  # pyright: ignore[reportMissingTypeStubs]
    from weasyprint.urls import URLFetcher  # pyright: ignore[reportMissingTypeStubs,reportUnknownVariableType]

    page = (
        texts.environment(LANGUAGE)
        .get_template("evidence/evidence.html")
        .render(e=whole, digest=digest, moment_of=_moment, day_of=date.fromisoformat)
    )
    only_itself: Any = URLFetcher(allowed_protocols={"data"})  # the default would read files and the network
    document: Any = weasyprint.HTML(string=page, url_fetcher=only_itself)
    look: Any = weasyprint.CSS(string=(texts.templates_root() / "evidence" / "paper.css").read_text(), url_fetcher=only_itself)
    return document.write_pdf(pdf_variant="pdf/ua-1", stylesheets=[look])


def _moment(at: str | None) -> datetime | None:
    return datetime.fromisoformat(at).astimezone(PRAGUE) if at else None
