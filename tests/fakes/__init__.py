"""Outside systems in memory: same protocols, same contract suite (tests/contracts) as the real ones, and faults on demand.

fakes = Fakes()
fakes.identity.faults.lost_answer("ensure")
with fakes.in_place(): ...
assert fakes.identity.writes == {"account": 1}
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flows.connectors import registry
from tests.fakes.backup import FakeBackup
from tests.fakes.identity import FakeIdentity
from tests.fakes.letters import FakeLetters
from tests.fakes.mail import FakeMail
from tests.fakes.runs import FakeRuns


@dataclass
class Fakes:
    """One of each; the backup restores what the mail received."""

    identity: FakeIdentity = field(default_factory=FakeIdentity)
    mail: FakeMail = field(default_factory=FakeMail)
    letters: FakeLetters = field(default_factory=FakeLetters)
    runs: FakeRuns = field(default_factory=FakeRuns)
    backup: FakeBackup = field(init=False)

    def __post_init__(self) -> None:
        self.backup = FakeBackup(self.mail)

    @contextmanager
    def in_place(self) -> Generator[None]:
        """The registry hands out these instead of the configured ones."""
        with registry.use(identity=self.identity, mail=self.mail, backup=self.backup, letters=self.letters, runs=self.runs):
            yield

    @property
    def remote_writes(self) -> int:
        """Everything that was written outside so far: proves that a repeat wrote nothing."""
        return sum(sum(one.writes.values()) for one in (self.identity, self.mail, self.backup))
