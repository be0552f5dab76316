"""How the dashboard gets into the package."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def hook(tmp_path: Path) -> ModuleType:
    """The build hook of a project that is all its own."""
    (tmp_path / "hatch_build.py").write_text((ROOT / "hatch_build.py").read_text())
    (tmp_path / "dashboard" / "src").mkdir(parents=True)
    (tmp_path / "dashboard" / "src" / "main.ts").write_text("1")
    spec = importlib.util.spec_from_file_location("hatch_build_of_a_test", tmp_path / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pretend_built(hook: ModuleType) -> None:
    hook.PAGE.mkdir(parents=True)
    (hook.PAGE / "index.html").write_text("<p>")
    hook.STAMP.write_text(hook.fingerprint())


def test_the_page_is_built_anew_only_when_its_sources_change(hook: ModuleType) -> None:
    assert hook.is_out_of_date()
    pretend_built(hook)
    assert not hook.is_out_of_date()
    (hook.SOURCE / "node_modules" / "left").mkdir(parents=True)
    (hook.SOURCE / "node_modules" / "left" / "pad.js").write_text("x")
    assert not hook.is_out_of_date()
    (hook.SOURCE / "src" / "main.ts").write_text("2")
    assert hook.is_out_of_date()


def test_a_page_that_came_with_an_sdist_is_used_as_it_is(hook: ModuleType) -> None:
    pretend_built(hook)
    (hook.SOURCE / "src" / "main.ts").write_text("2")
    (hook.ROOT / "PKG-INFO").write_text("Name: clawatch")
    assert not hook.is_out_of_date()


def test_node_is_asked_for_only_where_it_is_needed(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    build = hook.DashboardHook.__new__(hook.DashboardHook)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(hook.SKIP, raising=False)
    assert build.dependencies() == [hook.NODE]
    monkeypatch.setenv(hook.SKIP, "1")
    assert build.dependencies() == []
    monkeypatch.delenv(hook.SKIP)
    pretend_built(hook)
    assert build.dependencies() == []


def pretend_node(folder: Path, version: str) -> None:
    """A machine whose npm fails."""
    folder.mkdir()
    for name, says in (("npm", "exit 7"), ("node", f"echo {version}")):
        (folder / name).write_text(f"#!/bin/sh\n{says}\n")
        (folder / name).chmod(0o755)


def test_an_old_node_is_as_good_as_none(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_node(tmp_path / "old", "v18.20.4")
    pretend_node(tmp_path / "new", "v20.20.2")
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    assert hook.machine_npm() is None
    monkeypatch.setenv("PATH", str(tmp_path / "new"))
    assert hook.machine_npm() == str(tmp_path / "new" / "npm")


def test_what_fails_is_said_in_one_line_that_names_the_way_out(hook: ModuleType, tmp_path: Path) -> None:
    pretend_node(tmp_path / "bin", "v24.1.0")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "hatch_build.py")], env={"PATH": f"{tmp_path / 'bin'}:/bin:/usr/bin"},
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "npm ci: it ended with 7" in line
    assert "CLAWATCH_SKIP_DASHBOARD=1" in line


def test_skipped_it_touches_nothing(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hook.SKIP, "1")
    monkeypatch.setenv("PATH", "/nowhere")
    hook.DashboardHook.__new__(hook.DashboardHook).initialize("standard", {})
    assert not hook.PAGE.exists()


def test_the_lock_file_names_no_registry_and_every_package_is_pinned() -> None:
    lock = json.loads((ROOT / "dashboard" / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all("resolved" not in one for one in packages.values())
    assert all(re.match(r"sha512-", one["integrity"]) for one in packages.values())
