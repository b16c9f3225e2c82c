#!/usr/bin/env bash
# Make the environments of the oracles of tests/oracles.txt in .oracles/, each apart from ours and from the others:
# clients and estimators that others wrote, which no code of ours imports. What cannot be had is said, and its tests are
# skipped saying so.
set -u
cd "$(dirname "$0")/.."
newest() { # the first interpreter of at least Python $1
  for candidate in python3 python3.1{3,4,5} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
    "$candidate" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$1'.split('.'))))" 2>/dev/null &&
      { echo "$candidate"; return 0; }
  done
  return 1
}
while read -r name least packages; do
  case $name in ''|'#'*) continue ;; esac
  folder=.oracles/$name
  [ "$(cat "$folder/packages" 2>/dev/null)" = "$packages" ] && continue
  rm -rf "$folder"
  python=$(newest "$least") || { echo "$name: no Python $least here; its tests will be skipped"; continue; }
  # shellcheck disable=SC2086
  if "$python" -m venv "$folder" && "$folder/bin/python" -m pip install -qq $packages; then
    echo "$packages" > "$folder/packages"
  else
    rm -rf "$folder"; echo "$name: $packages could not be installed; its tests will be skipped"
  fi
done < tests/oracles.txt
