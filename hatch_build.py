"""The wheel carries compiled catalogs: git keeps the texts (.po), programs read the compiled form (.mo)."""

import tempfile
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledCatalogs(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.place = Path(tempfile.mkdtemp())
        for source in Path(self.root, "templates", "locale").glob("*/LC_MESSAGES/*.po"):
            compiled = self.place / f"{source.parent.parent.name}.mo"
            with source.open("rb") as text, compiled.open("wb") as out:
                write_mo(out, read_po(text, locale=source.parent.parent.name))  # without it Babel forgets the Czech plurals
            inside = source.relative_to(Path(self.root, "templates")).with_suffix(".mo")
            build_data["force_include"][str(compiled)] = f"flows/templates/{inside}"
