"""What `make check` looks at, besides what ruff, mypy and import-linter see. Each check returns its faults."""
