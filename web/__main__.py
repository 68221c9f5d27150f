"""`python -m web`: the portal, served by granian on the address of its settings."""

from granian import Granian
from granian.constants import Interfaces

from flows.settings import Portal, load


def main() -> None:
    portal = load().need(Portal)
    Granian(
        "web.app:serve",
        address=portal.host,
        port=portal.port,
        interface=Interfaces.ASGI,
        factory=True,
        websockets=False,
        respawn_failed_workers=True,
    ).serve()


if __name__ == "__main__":
    main()
