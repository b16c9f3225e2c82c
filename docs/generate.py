"""Write `docs/reference/` from the code; `--check` says which page differs instead."""
