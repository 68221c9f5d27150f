"""The words of the Czech portal, from its own catalog: a better translation breaks no test."""

from flows.texts import catalog


def czech(msgid: str, **params: str) -> str:
    words = catalog("cs").gettext(msgid)
    assert words != msgid, f"the catalog has no Czech for {msgid!r}"
    return words % params if params else words
