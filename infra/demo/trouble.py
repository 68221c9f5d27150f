"""What the demo says when something is not as promised."""

from infra.progress import Trouble


class NotProved(Trouble):
    """The first employee was not taken to the proof: what was seen, and the way out."""
