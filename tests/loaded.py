"""What a process of these tests has loaded before it is forked: all that a served town imports (see `forked.py`)."""

import gc
import importlib

import duckdb  # noqa: F401 -- a sealer's first need
import typer.main
import uvicorn

import beffroi.cli as command_line
from beffroi.app import FACES
from beffroi.plugins import load_registry
from beffroi.store import sealing  # noqa: F401
from beffroi.town import PLATFORM

for name in (*FACES, "anyio._backends._asyncio", "stringprep"):
    importlib.import_module(name)
uvicorn.Config("", loop="uvloop", http="httptools", lifespan="on")  # finds them
typer.main.get_command(command_line.application())
load_registry((), PLATFORM)
gc.collect()
gc.freeze()
