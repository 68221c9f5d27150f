"""Everything that sets up, runs and tests an installation. Refuses an interpreter that could not even read what follows."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the first command is run by whatever python3 a machine has
    sys.exit(
        "Nástup needs Python 3.11 or newer, and this is {}.{}: use a Debian 12, or name a newer interpreter, "
        "for instance `python3.11 -m infra run`.".format(*sys.version_info)
    )
