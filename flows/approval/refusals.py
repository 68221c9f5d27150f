"""Why something was not done, in words, with the status that a page answers."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from flows.sentence import Sentence, say


class Refusal(Exception):
    """Not done, and nothing changed. `sentence` is for the person who asked."""

    status = 409

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class NotFound(Refusal):
    """Not there, or not for this person: the same answer, so that nobody learns what exists elsewhere."""

    status = 404

    def __init__(self) -> None:
        super().__init__(say("There is nothing at this address, or it is not for you."))


def id_of(text: str) -> UUID:
    """Of a row, as an address has it. Raises NotFound for what is no id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


class NotAllowed(Refusal):
    """The person may see it, but this is not theirs to do."""

    status = 403


class SecondFactorNeeded(NotAllowed):
    def __init__(self) -> None:
        super().__init__(say("Decisions need a log-in with the second factor. Log in again and confirm it with the code from your phone."))


class AlreadyDecided(Refusal):
    """Somebody was faster: who and when. `mine`: the same person decided the same, by pressing twice; that counts."""

    def __init__(self, name: str, at: datetime, verdict: str, *, mine: bool = False) -> None:
        self.mine = mine
        who = {"name": name, "at": at.isoformat()}
        words = {
            "approve": say("%(name)s approved this request on %(at)s. Your decision was not needed and nothing of it was kept.", **who),
            "refuse": say("%(name)s refused this request on %(at)s. Your decision was not needed and nothing of it was kept.", **who),
            "return": say("%(name)s returned this request on %(at)s. Your decision was not needed and nothing of it was kept.", **who),
            "opinion": say("%(name)s gave an opinion about this request on %(at)s. Nothing of yours was kept.", **who),
        }
        super().__init__(say("You decided this already, on %(at)s. That decision counts.", at=at.isoformat()) if mine else words[verdict])


class NoLongerOpen(Refusal):
    """The request is not waiting for this any more."""


class PlanChanged(Refusal):
    """What would be made is not what was on the page."""

    def __init__(self) -> None:
        super().__init__(say("The request changed after you opened it. Read it again and decide anew; your decision was not kept."))


class FormProblems(Refusal):
    """What was typed cannot be taken: a sentence per field, the empty name for the whole form."""

    status = 422

    def __init__(self, fields: Mapping[str, Sentence]) -> None:
        super().__init__(say("Some answers need to be corrected. Nothing was submitted and nothing you typed was lost."))
        self.fields = fields
