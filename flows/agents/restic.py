"""restic 0.14 as a subprocess. It knows one exit code for everything, so its stderr is read; its address holds a password and is never
logged nor given on the command line, where every user of the machine could read it."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.connectors.base import ConnectorError, Gone, Misconfigured, Unavailable
from flows.sentence import say

QUICK, LONG = 60, 3600  # seconds; restic itself would repeat a failing request for 15 minutes
INCOMPLETE = 3  # a snapshot is there, a file vanished while it was made: a mail program moved or deleted a message


class WrongKey(Exception):
    """The repository is there and our key does not open it: it is somebody else's."""


@dataclass(frozen=True)
class Snapshot:
    """`id` is the short one, which is all that `backup` answers."""

    id: str
    tags: frozenset[str]
    time: str


@dataclass(frozen=True)
class Repository:
    """`address` as restic takes it; `cache` None = without one."""

    address: str
    key: str
    home: Path
    cache: Path | None = None
    certificate: Path | None = None

    def open(self) -> None:
        """Raises WrongKey when it is not ours."""
        self._run("cat", "config", "--no-lock")

    def init(self) -> None:
        self._run("init")

    def snapshots(self, tag: str) -> list[Snapshot]:
        """Those with the tag, oldest first."""
        found: list[dict[str, Any]] = json.loads(self._run("snapshots", "--json", "--no-lock", "--tag", tag)) or []
        return sorted((Snapshot(one["short_id"], frozenset(one.get("tags") or ()), one["time"]) for one in found), key=lambda one: one.time)

    def backup(self, place: Path, tags: Sequence[str], leave_out: Sequence[str] = ()) -> str:
        """A new snapshot of the place; its id."""
        excluded = [word for pattern in leave_out for word in ("--exclude", pattern)]
        # one fixed host name, or a mail store that moved to another machine would be read as a whole again
        output = self._run("backup", "--json", "--host", "nastup", "--tag", ",".join(tags), *excluded, str(place), seconds=LONG)
        return next(line["snapshot_id"] for line in map(json.loads, reversed(output.splitlines())) if line["message_type"] == "summary")

    def restore(self, snapshot: str, target: Path, name: str) -> None:
        """Only the files whose name begins with `name`."""
        self._run("restore", snapshot, "--no-lock", "--target", str(target), "--include", re.sub(r"([*?\[\]\\])", r"\\\1", name) + "*")

    def keep(self, daily: int) -> None:
        """Retention. Only where the repository is a local path: the server refuses every deletion by a client."""
        self._run("unlock")  # locks of dead processes only
        self._run("forget", "--group-by", "host,tags", "--keep-daily", str(daily), "--prune", seconds=LONG)

    def _run(self, *words: str, seconds: int = QUICK) -> str:
        trusted = ["--cacert", str(self.certificate)] if self.certificate else []
        cached = ["--cache-dir", str(self.cache)] if self.cache else ["--no-cache"]
        environment = {"RESTIC_REPOSITORY": self.address, "RESTIC_PASSWORD": self.key, "HOME": str(self.home), "PATH": os.environ["PATH"]}
        try:
            done = subprocess.run(
                ["restic", "--quiet", *trusted, *cached, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(say("The backup server does not answer."), f"restic {words[0]}: no end after {seconds} s") from None
        except FileNotFoundError:
            raise Misconfigured(say("The program restic is not installed where the agent runs."), "restic") from None
        if done.returncode in (0, INCOMPLETE):
            return done.stdout
        raise self._meaning(words[0], done.stderr)

    def _meaning(self, word: str, said: str) -> ConnectorError | WrongKey:
        detail = f"restic {word}: {self._without_secrets(said)}"
        if "wrong password" in said:
            return WrongKey(detail)
        if "does not exist" in said or "Is there a repository" in said:
            return Gone(say("The repository is not in the backup."), detail)
        if re.search(r"\b40[13]\b", said):  # a word of its own, not a part of some hash
            return Misconfigured(say("The backup server refuses the agent's credential."), detail)
        return Unavailable(say("The backup server does not answer."), detail)

    def _without_secrets(self, said: str) -> str:
        text = re.sub(r"rest:\S+|https?://\S+", "<address>", said).replace(self.key, "<key>")
        return " ".join(text.split())[-300:]
