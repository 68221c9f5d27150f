"""The hash of a value, so that anybody can compute it again: SHA-256 (hex) of its JSON with sorted keys, no spaces, UTF-8."""

import hashlib
import json
from typing import Any


def of_json(value: Any) -> str:
    return of_text(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
