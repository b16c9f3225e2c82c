"""Leaving and settling elsewhere: an exported town made again gives the same bytes; a damaged export gives nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from beffroi.demo.build import build_demonstration
from beffroi.export import ACCOUNT, CATALOGUE, HOUSE, LEFT_OUT, OBSERVED, export_town
from beffroi.model.problem import Problem
from beffroi.settling import settle
from beffroi.store.tables import metadata, obs_metadata
from beffroi.town import open_town
