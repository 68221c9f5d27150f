"""Finding one message in the mail store, and the credentials file of the vault."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.agents.maildir import as_imap_gives, find_message, home_of, name_of
from flows.agents.restic import Repository, WrongKey
from flows.agents.store import clear_half_made, set_credential
from flows.connectors.base import Conflict, Gone, Refused

MESSAGE = b"From: a@b.example\nMessage-ID: <1@x>\n\nahoj\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("Maildir/cur", "Maildir/new", "Maildir/.Overeni/new"):
        (tmp_path / "gym.example" / "zofie" / folder).mkdir(parents=True)
    return tmp_path / "gym.example" / "zofie"


def test_a_message_is_found_in_any_folder_and_known_by_its_stable_name(home: Path) -> None:
    file = home / "Maildir/.Overeni/new/1795.M1P2.host,S=43,W=47:2,S"
    file.write_bytes(MESSAGE)
    (home / "Maildir/cur/1795.M9P9.host:2,").write_bytes(MESSAGE.replace(b"<1@x>", b"<2@x>"))

    assert find_message(home, "<1@x>") == file
    assert name_of(file) == "1795.M1P2.host,S=43,W=47"
    with pytest.raises(Gone):
        find_message(home, "<3@x>")


def test_a_message_id_inside_the_text_is_not_the_message(home: Path) -> None:
    (home / "Maildir/cur/1").write_bytes(b"Message-ID: <2@x>\n\nMessage-ID: <1@x>\n")
    with pytest.raises(Gone):
        find_message(home, "<1@x>")


@pytest.mark.parametrize("address", ["../../etc/x@y", "a/b@gym.example", "..@gym.example", "zofie@..", "@gym.example", "zofie@", "zofie"])
def test_an_address_never_leads_out_of_the_store(home: Path, address: str) -> None:
    with pytest.raises(Refused):
        home_of(home.parent.parent, address)


def test_the_home_of_a_mailbox_that_is_not_there_is_gone(home: Path) -> None:
    assert home_of(home.parent.parent, "zofie@gym.example") == home
    with pytest.raises(Gone):
        home_of(home.parent.parent, "jana@gym.example")


@given(st.binary())
def test_imap_gives_every_line_with_cr_lf_whatever_the_store_keeps(message: bytes) -> None:
    given = as_imap_gives(message)
    assert as_imap_gives(given) == given
    assert b"\n" not in given.replace(b"\r\n", b"")


def test_a_credential_is_written_once_and_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    file.write_text("other:hash\n")

    assert set_credential(file, "gym", "one", ours=False)
    assert not set_credential(file, "gym", "one", ours=False)
    assert file.read_text() == "other:hash\ngym:one\n"


def test_a_strangers_credential_is_a_conflict_and_our_own_is_put_right(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    file.write_text("gym:theirs\n")

    with pytest.raises(Conflict):
        set_credential(file, "gym", "one", ours=False)
    assert file.read_text() == "gym:theirs\n"
    assert set_credential(file, "gym", "one", ours=True)
    assert file.read_text() == "gym:one\n"


def test_a_repository_that_was_left_half_made_is_cleared_away(tmp_path: Path) -> None:
    repository = tmp_path / "main"
    key = repository / "keys" / "44634c"
    key.parent.mkdir(parents=True)
    key.touch()
    assert not clear_half_made(repository)  # it may be in the making

    os.utime(key, (0, 0))
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / "936f75").touch()
    assert not clear_half_made(repository)  # a config that was lost is for a person

    (repository / "snapshots" / "936f75").unlink()
    assert clear_half_made(repository)
    assert not repository.exists()
    assert not clear_half_made(repository)


@pytest.mark.servers
def test_retention_keeps_the_newest_of_a_day_of_every_mailbox(tmp_path: Path, home: Path) -> None:
    repository = Repository(str(tmp_path / "repository"), "key", tmp_path)
    repository.init()
    old = repository.backup(home, ["person:1", "mailbox:a"])
    new = repository.backup(home, ["person:1", "mailbox:a"])
    other = repository.backup(home, ["person:2", "mailbox:b"])

    repository.keep(daily=1)

    assert [one.id for one in repository.snapshots("person:1")] == [new] != [old]
    assert [one.id for one in repository.snapshots("mailbox:b")] == [other]


@pytest.mark.servers
def test_a_wrong_key_and_a_missing_repository_are_told_apart_without_a_secret(tmp_path: Path) -> None:
    place = str(tmp_path / "repository")
    Repository(place, "secret-key", tmp_path).init()

    with pytest.raises(WrongKey) as wrong:
        Repository(place, "other-key", tmp_path).open()
    assert "other-key" not in str(wrong.value)
    with pytest.raises(Gone) as gone:
        Repository(str(tmp_path / "nothing"), "secret-key", tmp_path).open()
    assert "secret-key" not in str(gone.value)


@pytest.mark.servers
def test_one_message_comes_out_of_a_snapshot(tmp_path: Path, home: Path) -> None:
    for name in ("1795.M1[a]*.host,S=43", "1795.M2.host,S=43"):
        (home / "Maildir/cur" / f"{name}:2,S").write_bytes(name.encode())
    repository = Repository(str(tmp_path / "repository"), "key", tmp_path)
    repository.init()
    snapshot = repository.backup(home, ["person:1"], leave_out=["dovecot.index*"])

    repository.restore(snapshot, tmp_path / "out", "1795.M1[a]*.host,S=43")

    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in files] == [b"1795.M1[a]*.host,S=43"]
