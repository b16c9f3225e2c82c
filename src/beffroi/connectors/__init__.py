"""Connectors: sources that are polled on a schedule, with retry, cursor and provenance.

`source` what `beffroi.toml` says of one · `fetch` one HTTP answer, whole or refused · `opendatasoft`,
`sensorthings`, `table` the kinds · `schedule` when each runs next, and what went wrong.
"""
