"""Extensions: services that come as a wheel, installed, looked at, enabled and disabled while the town runs.

`wheel` reads and checks the file · `declared` says what a service would read and write, found in a process of its own ·
`shelf` keeps them (`extensions/` in the data directory, table `extension`) and loads those in use.
"""
