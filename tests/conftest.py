"""Fixtures that several files of tests use."""

import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A studio that the tests of a file share."""
    from studios import studio  # needs an extra

    with studio(tmp_path_factory.mktemp("works")) as running:
        yield running


@pytest.fixture(scope="module")
def work(run):
    """A drawn work that tests look at and do not change."""
    return run.drawn()
