"""A post office in memory."""

from flows.connectors.base import Gone, Post
from flows.sentence import say
from tests.fakes.faults import Fake, remote


class FakeLetters(Fake):
    """`sent` holds every letter in order, a repeat too; `unknown` are addresses that nobody has."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Post] = []
        self.unknown: set[str] = set()

    @remote
    def send(self, post: Post) -> None:
        if post.to in self.unknown:
            raise Gone(say("The mail server does not know the address."))
        self.sent.append(post)

    def to(self, address: str) -> list[Post]:
        with self.lock:
            return [post for post in self.sent if post.to == address]
