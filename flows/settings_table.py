"""The table of settings, made from the code, so that it cannot be out of date. README.md holds it; a test compares."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flows.settings import Settings

HEAD = "| variable | default | what it is |\n| --- | --- | --- |"


def table() -> str:
    """Markdown, one row per variable, in the order of flows/settings.py."""
    return "\n".join([HEAD, *(f"| `{name}` | {default} | {words} |" for name, default, words in _rows(Settings, "NASTUP_"))])


def _rows(branch: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in branch.model_fields.items():
        inner = _branch_in(field)
        if inner:
            yield from _rows(inner, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), _default(field.default), field.description or ""


def _branch_in(field: FieldInfo) -> type[BaseModel] | None:
    kinds: list[Any] = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    text = str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
    return f"`{text}`" if text and value is not None else ""
