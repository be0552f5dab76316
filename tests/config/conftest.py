"""A configuration file to write, and a fake environment of plugins to read it with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from clawatch.config import ConfigError, Loaded, load

PLUGINS = """
    from typing import Annotated
    from pydantic import Field, SecretStr
    from clawatch.domain.alerts import AlertType
    from clawatch.hookspecs import hookimpl
    from clawatch.ports import Contribution, RuleType, StoreType
    from clawatch.settings import Duration, RuleSettings, Settings

    class Tools(Settings):
        more_than: int = 10
        within: Duration = 60_000

    class StuckSettings(RuleSettings):
        after: Duration = 300_000
        tools: Tools = Tools()

    class SqliteSettings(Settings):
        durability: str = "full"

    class ChatSettings(Settings):
        token: SecretStr = SecretStr("")
        chats: tuple[int, ...] = ()

        @property
        def is_configured(self):
            return bool(self.token.get_secret_value())

    class Price(Settings):
        input: float
        output: float

    class PricesSettings(Settings):
        overrides: dict[str, Price] = {}
        extra: int = 0

    @hookimpl
    def register_rules():
        return [RuleType("stuck", AlertType.STUCK, StuckSettings, None),
                RuleType("calm", AlertType.ERROR, RuleSettings, None)]

    @hookimpl
    def register_stores():
        return [StoreType("sqlite", SqliteSettings, None), StoreType("memory", Settings, None)]

    @hookimpl
    def register_notifiers():
        return [Contribution("chat", ChatSettings, None)]

    @hookimpl
    def register_enrichers():
        return [Contribution("prices", PricesSettings, None)]

    @hookimpl
    def register_apis():
        return [Contribution("door", Settings, None)]
"""
THIRD_PARTY = """
    from clawatch.domain.alerts import AlertType
    from clawatch.hookspecs import hookimpl
    from clawatch.ports import Contribution, RuleType
    from clawatch.settings import RuleSettings, Settings

    class Needy(Settings):
        address: str

    @hookimpl
    def register_rules():
        return [RuleType("night", AlertType.STUCK, RuleSettings, None)]

    @hookimpl
    def register_notifiers():
        return [Contribution("pager", Settings, None)]

    @hookimpl
    def register_apis():
        return [Contribution("theirs", Settings, None), Contribution("needy", Needy, None)]
"""


def install(site: Path, dist: str, modules: dict[str, str]) -> None:
    info = site / f"{dist}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "\n".join(["[clawatch]", *(f"{module} = fake_{dist}_{module}" for module in modules)])
    )
    for module, source in modules.items():
        (site / f"fake_{dist}_{module}.py").write_text(dedent(source))


class Desk:
    """Writes a configuration file, and reads it with the fake plugins alone."""

    def __init__(self, folder: Path, installed: list[EntryPoint]) -> None:
        self.folder = folder
        self.path = folder / "config.yaml"
        self.installed = installed
        self.environ: dict[str, str] = {"HOME": str(folder / "home")}

    def load(self, text: str, **options: Any) -> Loaded:
        self.path.write_text(dedent(text))
        return load(self.path, self.environ, options or None, installed=self.installed)

    def problems(self, text: str, **options: Any) -> list[str]:
        """What is said of it, with the file called by its name alone."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **options)
        return [str(problem).replace(str(self.path), "config.yaml") for problem in caught.value.problems]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    site = tmp_path / "site"
    install(site, "clawatch", {"all": PLUGINS, "broken": "raise RuntimeError('no luck')"})
    install(site, "acme", {"night": THIRD_PARTY})
    monkeypatch.syspath_prepend(str(site))
    found = [point for dist in distributions(path=[str(site)]) for point in dist.entry_points]
    yield Desk(tmp_path, found)
    for name in [name for name in sys.modules if name.startswith(("fake_clawatch_", "fake_acme_"))]:
        del sys.modules[name]
