"""Plugins are collected one by one; each that is broken, double, refused or incomplete gets its one clear line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from clawatch.plugins import PluginReport, PluginState, Registry, collect

RULE = """
    from clawatch.domain.alerts import AlertType
    from clawatch.hookspecs import hookimpl
    from clawatch.ports import RuleType
    from clawatch.settings import RuleSettings

    @hookimpl
    def register_rules():
        return [RuleType("{name}", AlertType.STUCK, RuleSettings, None)]
"""


class Site:
    """A fake site-packages folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(
        self, dist: str, plugins: dict[str, str], modules: dict[str, str], metadata: Sequence[str] = ()
    ) -> None:
        info = self.path / f"{dist}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {dist}", "Version: 1.2", *metadata]))
        lines = [f"{name} = {value}" for name, value in plugins.items()]
        (info / "entry_points.txt").write_text("\n".join(["[clawatch]", *lines]))
        for module, source in modules.items():
            (self.path / f"{module}.py").write_text(dedent(source))

    def entry_points(self) -> list[EntryPoint]:
        found = distributions(path=[str(self.path)])
        return [point for dist in found for point in dist.entry_points if point.group == "clawatch"]

    def collect(self, *disabled: str) -> Registry:
        return collect(disabled, installed=self.entry_points())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    before = set(sys.modules)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Site(folder)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    return folder


def write(path: Path, source: str) -> None:
    path.write_text(dedent(source))
    path.chmod(0o644)


def report_of(registry: Registry, name: str, origin: str | None = None) -> PluginReport:
    [report] = [one for one in registry.reports if one.name == name and origin in (None, one.origin)]
    return report


def test_a_plugin_is_loaded_with_its_origin_version_and_hooks(site: Site) -> None:
    site.install("acme", {"night": "acme_night"}, {"acme_night": RULE.format(name="night")})
    registry = site.collect()
    assert registry.reports == (PluginReport("night", "acme", "1.2", ("rules",), PluginState.LOADED),)
    provided = registry.rules["night"]
    assert (provided.part.name, provided.plugin, provided.is_official) == ("night", "night", False)


def test_plugins_are_found_in_the_environment(site: Site) -> None:
    site.install("acme", {"night": "acme_night"}, {"acme_night": RULE.format(name="night")})
    registry = collect([point.name for point in entry_points(group="clawatch") if point.name != "night"])
    assert "night" in registry.rules


def test_a_broken_plugin_is_reported_and_the_rest_run(site: Site) -> None:
    site.install("acme", {"bad": "acme_bad", "exits": "acme_exits", "good": "acme_good", "typo": "acme_nowhere"}, {
        "acme_bad": "x = 1\nraise RuntimeError('two\\nlines')",
        "acme_exits": "raise SystemExit(3)",
        "acme_good": RULE.format(name="good"),
    })
    registry = site.collect()
    assert list(registry.rules) == ["good"]
    bad = report_of(registry, "bad")
    assert bad.state is PluginState.BROKEN
    assert bad.detail == f"RuntimeError: two lines ({site.path}/acme_bad.py:2)"
    assert report_of(registry, "exits").state is PluginState.BROKEN
    assert report_of(registry, "typo").state is PluginState.BROKEN
    assert "acme_nowhere" in report_of(registry, "typo").detail


def test_of_two_plugins_of_one_name_the_official_one_stays_and_both_are_named(site: Site) -> None:
    site.install("acme", {"stuck": "acme_stuck"}, {"acme_stuck": RULE.format(name="stuck")})
    site.install("clawatch", {"stuck": "official_stuck"}, {"official_stuck": RULE.format(name="stuck")})
    registry = site.collect()
    assert registry.rules["stuck"].is_official
    assert report_of(registry, "stuck", "clawatch").state is PluginState.LOADED
    left_out = report_of(registry, "stuck", "acme")
    assert left_out.state is PluginState.DUPLICATE
    assert "stuck of clawatch 1.2 came first" in left_out.detail
    assert registry.report("stuck") == report_of(registry, "stuck", "clawatch")


def test_of_two_parts_of_one_name_the_first_stays_and_both_are_named(site: Site) -> None:
    site.install("acme", {"one": "acme_one", "two": "acme_two"}, {
        "acme_one": RULE.format(name="night"), "acme_two": RULE.format(name="night"),
    })
    registry = site.collect()
    assert registry.rules["night"].plugin == "one"
    two = report_of(registry, "two")
    assert two.state is PluginState.DUPLICATE
    assert two.detail == "rules: night of the plugin one came first; that of two is left out"


def test_a_disabled_plugin_is_not_even_imported(site: Site) -> None:
    site.install("acme", {"bad": "acme_bad"}, {"acme_bad": "raise RuntimeError"})
    assert report_of(site.collect("bad"), "bad").state is PluginState.DISABLED


@pytest.mark.parametrize("metadata, entry, wanted", [
    ((), "acme_mail", "'nosuchlib'"),
    (("Provides-Extra: mail", 'Requires-Dist: NoSuchLib>=2; extra == "mail"'), "acme_mail", "'acme[mail]'"),
    (("Provides-Extra: smtp",), "acme_mail [smtp]", "'acme[smtp]'"),
])
def test_a_missing_extra_says_what_to_install(site: Site, metadata: tuple[str, ...], entry: str, wanted: str) -> None:
    site.install("acme", {"mail": entry}, {"acme_mail": "import nosuchlib.parts"}, metadata)
    report = report_of(site.collect(), "mail")
    assert report.state is PluginState.MISSING_EXTRA
    assert report.detail == f"needs the library nosuchlib, which is not installed; run pip install {wanted}"


def test_a_hook_that_raises_costs_only_its_own_parts(site: Site) -> None:
    source = dedent(RULE.format(name="night")) + dedent("""
        @hookimpl
        def register_notifiers():
            import nosuchlib

        @hookimpl
        def register_jobs():
            raise KeyError("x")
    """)
    site.install("acme", {"night": "acme_night"}, {"acme_night": source})
    registry = site.collect()
    assert list(registry.rules) == ["night"]
    report = report_of(registry, "night")
    assert report.state is PluginState.BROKEN
    assert "register_jobs: KeyError" in report.detail
    assert "register_notifiers: needs the library nosuchlib" in report.detail


@pytest.mark.parametrize("source, said", [
    ("@hookimpl\ndef register_rulez(): return []", "register_rulez is no hook; did you mean register_rules?"),
    ("@hookimpl\ndef frobnicate(): return []", "frobnicate is no hook"),
    ("@hookimpl\ndef register_rules(core): return []", "'core'"),
    ("def register_rules(): return []", "register_rules lacks the decorator @hookimpl"),
    ("", "implements no hook"),
    ("@hookimpl\ndef register_rules(): return {}", "register_rules: returned dict instead of a list"),
    ("@hookimpl\ndef register_rules(): return [3]", "register_rules: its list holds int, which is no RuleType"),
    ("@hookimpl\ndef register_vocabularies(): return [3]", "its list holds int, which is no Vocabulary"),
    ("@hookimpl\ndef register_commands(): return [3]", "its list holds int, which is no click command"),
    ("@hookimpl\ndef register_apis(): return [Contribution('a b', Settings, None)]", "'a b' is no name"),
    ("@hookimpl\ndef register_apis(): return [Contribution('a', dict, None)]", "the settings of a must be a class"),
    ("@hookimpl\ndef register_rules(): return [RuleType('a', None, Settings, None)]", "RuleSettings"),
])
def test_a_plugin_that_breaks_the_contract_is_told_how(site: Site, source: str, said: str) -> None:
    imports = """
        from clawatch.hookspecs import hookimpl
        from clawatch.ports import Contribution, RuleType
        from clawatch.settings import Settings
    """
    site.install("acme", {"odd": "acme_odd"}, {"acme_odd": dedent(imports) + source})
    registry = site.collect()
    report = report_of(registry, "odd")
    assert report.state is PluginState.BROKEN
    assert said in report.detail
    assert not registry.rules
    assert not registry.apis


def test_loose_files_and_packages_are_plugins(loose: Path, tmp_path: Path) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    (loose / "day").mkdir(mode=0o755)
    write(loose / "day" / "__init__.py", "from .rule import register_rules")
    write(loose / "day" / "rule.py", RULE.format(name="day"))
    write(loose / "_draft.py", "raise RuntimeError")
    write(loose / "notes.txt", "none")
    registry = collect(directory=loose, data_dir=tmp_path / "data", installed=[])
    assert {name: provided.is_official for name, provided in registry.rules.items()} == {"day": False, "night": False}
    assert [report.origin for report in registry.reports] == [str(loose / "day"), str(loose / "night.py")]
    assert not list(loose.rglob("__pycache__"))


def test_a_loose_plugin_can_be_collected_again(loose: Path, tmp_path: Path) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    first = collect(directory=loose, data_dir=tmp_path / "data", installed=[])
    second = collect(directory=loose, data_dir=tmp_path / "data", installed=[])
    assert first.reports == second.reports


def test_an_installed_plugin_comes_before_a_loose_one_of_its_name(site: Site, loose: Path, tmp_path: Path) -> None:
    site.install("acme", {"night": "acme_night"}, {"acme_night": RULE.format(name="night")})
    write(loose / "night.py", RULE.format(name="night"))
    registry = collect(directory=loose, data_dir=tmp_path / "data", installed=site.entry_points())
    assert report_of(registry, "night", str(loose / "night.py")).state is PluginState.DUPLICATE


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_directory_that_others_can_write_is_refused(loose: Path, tmp_path: Path, mode: int) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    loose.chmod(mode)
    registry = collect(directory=loose, data_dir=tmp_path / "data", installed=[])
    assert not registry.rules
    [report] = registry.reports
    assert report.state is PluginState.REFUSED
    assert report.detail == "can be written by group or others; run chmod go-w on it"


def test_a_file_that_others_can_write_is_refused_alone(loose: Path, tmp_path: Path) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    write(loose / "day.py", RULE.format(name="day"))
    (loose / "night.py").chmod(0o664)
    (loose / "eve").mkdir(mode=0o755)
    write(loose / "eve" / "__init__.py", "from .rule import register_rules")
    write(loose / "eve" / "rule.py", RULE.format(name="eve"))
    (loose / "eve" / "rule.py").chmod(0o666)
    registry = collect(directory=loose, data_dir=tmp_path / "data", installed=[])
    assert list(registry.rules) == ["day"]
    assert report_of(registry, "night").state is PluginState.REFUSED
    assert report_of(registry, "eve").detail.startswith("rule.py can be written")


def test_a_directory_under_the_data_directory_is_refused(loose: Path, tmp_path: Path) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    [report] = collect(directory=loose, data_dir=tmp_path, installed=[]).reports
    assert report.state is PluginState.REFUSED
    assert "lies under the data directory" in report.detail


def test_a_link_out_of_the_directory_is_refused(loose: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere.py", RULE.format(name="night"))
    (loose / "night.py").symlink_to(tmp_path / "elsewhere.py")
    [report] = collect(directory=loose, data_dir=tmp_path / "data", installed=[]).reports
    assert report.state is PluginState.REFUSED
    assert "leads out of the plugin directory" in report.detail


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    [report] = collect(directory=tmp_path / "none", data_dir=tmp_path / "data", installed=[]).reports
    assert report.state is PluginState.REFUSED
    assert "is not a directory" in report.detail


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(loose: Path, tmp_path: Path) -> None:
    write(loose / "night.py", RULE.format(name="night"))
    os.chown(loose / "night.py", 65534, 65534)
    [report] = collect(directory=loose, data_dir=tmp_path / "data", installed=[]).reports
    assert "is owned by user 65534" in report.detail
