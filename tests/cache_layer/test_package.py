"""What `pip install` of this repository gives the bot: `cache_layer`, whole, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pomni_admin.demo.servers import PROJECT
from tests.cache_layer.test_alone import WITHOUT_DJANGO, run


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it was installed into. Built from a copy, since a build leaves things beside its sources."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copy(PROJECT / "pyproject.toml", folder)
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("cache_layer", "pomni_admin", "tests"):
        shutil.copytree(PROJECT / package, folder / "source" / package, ignore=ignored)
    shutil.move(folder / "pyproject.toml", folder / "source")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), "."],
        cwd=folder / "source",
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=True,
        timeout=120,
    )
    return folder / "site"


def test_all_of_the_layer_is_installed_and_nothing_else(installed: Path) -> None:
    expected = {
        str(file.relative_to(PROJECT))
        for file in (PROJECT / "cache_layer").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    found = {str(file.relative_to(installed)) for file in installed.rglob("*") if file.is_file()}
    assert {name for name in found if ".dist-info/" not in name} == expected


def test_it_works_from_there(installed: Path) -> None:
    assert run(WITHOUT_DJANGO, installed) == "trial"


def test_it_needs_what_the_project_has_tried() -> None:
    """The same ranges as in `requirements.txt`."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert set(project["dependencies"]) <= set((PROJECT / "requirements.txt").read_text().splitlines())
