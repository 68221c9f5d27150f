import re

from hypothesis import given
from hypothesis import strategies as some

from flows.approval.names import LONGEST, SHORTEST, plain_letters, plain_name

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
