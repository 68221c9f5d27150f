import re

from hypothesis import given
from hypothesis import strategies as some

from flows.approval.names import LONGEST, RESERVED, SHORTEST, Proposal, plain_letters, plain_name, propose
from flows.model.session import open_session
from tests.cast import Cast
from tests.database import Database

SHAPE = re.compile(r"[a-z]([a-z.-]*[a-z])?")


def test_diacritics_and_foreign_letters_become_plain_ones() -> None:
    assert plain_name("Žofie", "Šťastná") == "zofie.stastna"
    assert plain_name("Łukasz", "Ørsted") == "lukasz.orsted"
    assert plain_name("Олександр", "Шевченко") == "oleksandr.shevchenko"


def test_a_second_given_name_is_left_out_and_family_names_are_joined() -> None:
    assert plain_name("Anna Marie", "Nováková Dvořáková") == "anna.novakova-dvorakova"


def test_different_names_may_give_the_same_plain_name() -> None:
    assert plain_name("Jan", "Křiž") == plain_name("Ján", "Kříž") == "jan.kriz"


def test_the_shortest_names_are_long_enough() -> None:
    assert plain_name("A", "B") == "a.b"


@given(some.text(max_size=200), some.text(max_size=200))
def test_every_name_gives_a_word_that_every_server_takes(given_name: str, family_name: str) -> None:
    name = plain_name(given_name, family_name)
    assert SHORTEST <= len(name) <= LONGEST - 3
    assert SHAPE.fullmatch(name)
    assert ".." not in name
    assert name == plain_name(given_name, family_name)


@given(some.text(max_size=200))
def test_plain_letters_are_plain(text: str) -> None:
    assert re.fullmatch(r"([a-z]+(-[a-z]+)*)?", plain_letters(text))


def test_no_reserved_word_is_ever_proposed_whatever_name_leads_to_it(database: Database, cast: Cast) -> None:
    with open_session(cast.director.person) as session:
        for word in sorted(RESERVED):
            given_name, _, family_name = word.rpartition(".")
            assert plain_name(given_name, family_name) == word  # a name leads to it: the test would be empty otherwise
            proposal = propose(session, given_name, family_name, cast.school.domain)
            assert proposal == Proposal(f"{word}2", f"{word}2@{cast.school.domain}", changed=True)


def test_a_name_that_only_begins_like_a_reserved_word_is_free(database: Database, cast: Cast) -> None:
    with open_session(cast.director.person) as session:
        assert propose(session, "Root", "Adminová", cast.school.domain).user_name == "root.adminova"
