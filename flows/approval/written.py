"""What a person may type into one line: letters that look like what they are, and nothing invisible."""

import unicodedata

from flows.sentence import Sentence, say

LOOKALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK"})
MOST_MARKS = 2  # combining marks on one letter that remain after NFC; more is noise, not a language


def tidy(text: str) -> str:
    """One line as it is kept: NFC, no spaces around, single ones inside. Only spaces are touched: a line break stays and is refused."""
    return " ".join(part for part in unicodedata.normalize("NFC", text).replace("\u00a0", " ").strip().split(" ") if part)


def line_problem(text: str, most: int) -> Sentence | None:
    """Why a line cannot be kept: longer than `most` characters, invisible or mixed characters (Unicode TR 36 and TR 39)."""
    if len(text) > most:
        return say("This is too long: at most %(most)s characters.", most=most)
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in text):
        return say("There is a line break or a control character here. Write the answer on one line.")
    if any(unicodedata.category(letter) in ("Cf", "Co", "Cn", "Cs") for letter in text):
        return say("There is an invisible character here, perhaps copied from elsewhere. Delete the answer and type it.")
    if any(mixes_scripts(word) for word in text.split(" ")):
        return say("One word mixes letters of different alphabets that look the same. Type it again on the keyboard.")
    return None


def name_problem(text: str, most: int) -> Sentence | None:
    """Why this cannot be a person's name: what `line_problem` says, or something that no name has."""
    if problem := line_problem(text, most):
        return problem
    if any(not _of_a_name(letter) for letter in text):
        return say("A name has letters, spaces, hyphens and apostrophes only.")
    if _too_many_marks(text) or not any(letter.isalpha() for letter in text):
        return say("This does not look like a name.")
    return None


def mixes_scripts(word: str) -> bool:
    """True for "Nоvák" with a Cyrillic о, and for letters borrowed from mathematics or full width."""
    letters = [letter for letter in word if letter.isalpha()]
    if any(unicodedata.normalize("NFKC", letter) != letter for letter in letters):
        return True
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in letters}
    return len(scripts) > 1 and bool(scripts & LOOKALIKE_SCRIPTS)


def _of_a_name(letter: str) -> bool:
    return letter in " -'’.·" or unicodedata.category(letter)[0] in "LM"


def _too_many_marks(text: str) -> bool:
    run = 0
    for letter in text:
        run = run + 1 if unicodedata.category(letter)[0] == "M" else 0
        if run > MOST_MARKS:
            return True
    return text[:1] != "" and unicodedata.category(text[0])[0] == "M"
