#!/bin/sh
# Takes the texts from the sources and brings the Czech catalog up to date; then somebody translates what is new (empty or fuzzy).
# `python` is the one that has Babel: PYTHON=.../bin/python templates/locale/update.sh, from the root of the repository.
set -eu
python=${PYTHON:-python3}
catalog=templates/locale/cs/LC_MESSAGES/nastup.po
pot=$(mktemp) whole=$(mktemp)
trap 'rm -f "$pot" "$whole"' EXIT
sed '/^$/q' "$catalog" > "$whole"  # our header, which Babel would drop or fill with dates
grep -q '^"Plural-Forms: ' "$whole" || { echo "the header of $catalog is gone: take it from the history" >&2; exit 1; }
"$python" -m babel.messages.frontend -q extract -F templates/locale/babel.cfg -k say --sort-output --no-location --omit-header -o "$pot" .
"$python" -m babel.messages.frontend -q update -i "$pot" -l cs -o "$catalog" --no-fuzzy-matching --ignore-obsolete --omit-header --width 160
cat "$catalog" >> "$whole"
cat "$whole" > "$catalog"
