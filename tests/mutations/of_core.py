"""Mutations of the data model, resource paths and reading."""

from tests.mutations.harness import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "an absent entity is answered with 400",
        "model/problem.py", '"""The thing asked for does not exist, or not for this reader."""\n\n    status = 404',
        '"""The thing asked for does not exist, or not for this reader."""\n\n    status = 400',
        "tests/api/test_sensorthings.py::test_addresses_that_lead_nowhere_or_are_wrong[sqlite]",
    ),
)  # fmt: skip
