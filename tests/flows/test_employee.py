from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flows.approval.employee import FIELDS, NewEmployee, read_employee, read_private_address
from flows.approval.written import mixes_scripts, tidy

TODAY = date(2026, 11, 23)
GOOD = {
    "given_name": "Žofie",
    "family_name": "Šťastná",
    "title_before": "Ing.",
    "title_after": "Ph.D.",
    "personal_number": "Z-1042",
    "contract": "employment",
    "position": "učitelka biologie a chemie",
    "manager": "Radek Hanzlík",
    "start": "2026-12-01",
    "end": "",
    "quota_gb": "10",
}


def problems(**changed: str) -> dict[str, str]:
    employee, wrong = read_employee(GOOD | changed, TODAY, 50)
    assert (employee is None) == bool(wrong)
    return {field: str(sentence) for field, sentence in wrong.items()}


def test_good_answers_become_an_employee() -> None:
    employee, wrong = read_employee(GOOD, TODAY, 50)
    assert wrong == {}
    assert employee is not None
    assert (employee.given_name, employee.start, employee.end, employee.quota_gb) == ("Žofie", date(2026, 12, 1), None, 10)


def test_every_answer_has_its_place_in_the_form() -> None:
    assert sorted(FIELDS) == sorted(NewEmployee.__dataclass_fields__)


def test_an_employee_is_kept_and_read_back_the_same() -> None:
    employee, _ = read_employee(GOOD | {"end": "2027-06-30"}, TODAY, 50)
    assert employee is not None
    assert NewEmployee.from_json(employee.as_json() | {"private_address_mark": "x"}) == employee


def test_decomposed_letters_are_composed_and_spaces_tidied() -> None:
    employee, _ = read_employee(GOOD | {"given_name": "  Z\u030cofie\u00a0 Anna "}, TODAY, 50)
    assert employee is not None
    assert employee.given_name == "Žofie Anna"


def test_a_day_may_be_typed_the_czech_way() -> None:
    employee, _ = read_employee(GOOD | {"start": "1. 12. 2026"}, TODAY, 50)
    assert employee is not None
    assert employee.start == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("given_name", ""),
        ("given_name", "   "),
        ("given_name", "Ž" * 300),
        ("given_name", "Jan\r\nBcc: all@example.com"),
        ("given_name", "Jan\x00"),
        ("given_name", "Jan\u202ekovoN"),
        ("given_name", "Jan\u200b"),
        ("given_name", "Jаn"),  # the middle letter is Cyrillic
        ("given_name", "𝐉𝐚𝐧"),
        ("given_name", "Jan 🎉"),
        ("given_name", "<b>Jan</b>"),
        ("given_name", "Jan1"),
        ("given_name", "---"),
        ("given_name", "Z̷̡̢a"),
        ("family_name", ""),
        ("title_before", "I" * 300),
        ("position", " \t "),
        ("position", "a" * 300),
        ("manager", "Radek\nHanzlík"),
        ("personal_number", ""),
        ("personal_number", "čtyři"),
        ("personal_number", "855612/1234"),
        ("contract", ""),
        ("contract", "slavery"),
        ("start", ""),
        ("start", "2026-02-30"),
        ("start", "tomorrow"),
        ("start", "2026-10-23"),
        ("start", "2206-12-01"),
        ("end", "2026-11-30"),
        ("end", "x"),
        ("quota_gb", ""),
        ("quota_gb", "0"),
        ("quota_gb", "51"),
        ("quota_gb", "-5"),
        ("quota_gb", "10.5"),
        ("quota_gb", "٣"),
    ],
)
def test_a_wrong_answer_gets_a_sentence_at_its_field_only(field: str, typed: str) -> None:
    assert list(problems(**{field: typed})) == [field]


def test_markup_in_a_position_is_text() -> None:
    employee, wrong = read_employee(GOOD | {"position": "<script>alert(1)</script> & spol."}, TODAY, 50)
    assert wrong == {}
    assert employee is not None
    assert employee.position == "<script>alert(1)</script> & spol."


def test_thirty_days_ago_is_still_taken() -> None:
    assert problems(start=(TODAY - timedelta(days=30)).isoformat()) == {}


@pytest.mark.parametrize(
    "name", ["Łukasz", "Oleksandr", "Олександр", "O’Brien", "D'Arc", "Nguyễn", "Ștefan", "van der Berg", "Anna-Marie", "Jr.", "Ğ"]
)
def test_names_of_the_world_are_taken(name: str) -> None:
    assert problems(family_name=name) == {}


@given(some.dictionaries(some.sampled_from([*GOOD, "number", "state"]), some.text(max_size=320)))
def test_whatever_is_typed_there_is_an_employee_or_a_sentence_for_a_known_field(typed: dict[str, str]) -> None:
    employee, wrong = read_employee(typed, TODAY, 50)
    assert (employee is None) == bool(wrong)
    assert set(wrong) <= set(GOOD)


@given(some.text(max_size=40))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(some.text(alphabet="aábcčdďeéěfghiíjklmnňoópqrřsštťuúůvwxyýzž", min_size=1))
def test_czech_words_never_count_as_mixed(word: str) -> None:
    assert not mixes_scripts(word)


@given(some.text(alphabet="aceopxyáéč", min_size=1), some.sampled_from("асеорхуіј"))
def test_one_cyrillic_letter_among_latin_ones_is_seen(word: str, intruder: str) -> None:
    assert mixes_scripts(word + intruder)


def test_a_private_address_outside_our_domains_is_taken() -> None:
    assert read_private_address(" zofie@Mail.example ", {"gym-opava.example"}) == ("zofie@mail.example", None)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "zofie",
        "zofie@",
        "zofie@gym-opava.example",
        "zofie@sub.GYM-opava.example",
        "a@b.example\r\nBcc: c@d.example",
        "ž@mail.example",
        "x" * 300,
    ],
)
def test_a_private_address_that_cannot_carry_the_link_gets_a_sentence(typed: str) -> None:
    address, problem = read_private_address(typed, {"gym-opava.example"})
    assert address is None
    assert problem is not None
