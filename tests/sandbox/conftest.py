"""Homes and folders on the disk: without namespaces, Landlock leaves `/dev/shm` open."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """The test's own folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def home_folder() -> Iterator[Path]:
    """Where the test's own home is to be."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "home")
