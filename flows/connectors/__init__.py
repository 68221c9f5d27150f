"""The outside: what is wanted goes in, what was seen comes out. `base` says how; `registry` names who."""
