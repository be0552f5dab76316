"""The parts: plugins, notifiers, sources and whatever else has something to say of its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from clawatch.config.effective import Config
from clawatch.config.loading import Loaded
from clawatch.config.parts import Part
from clawatch.domain.remarks import Remark, fine, warning, wrong
from clawatch.plugins import PluginState
from clawatch.settings import Surroundings

EXAMINED = ("notifiers", "sources", "apis", "controllers", "enrichers")
REMEDIES = {
    PluginState.BROKEN: "mend it, or name it in plugins.disabled",
    PluginState.DUPLICATE: "remove one of the two, or name one in plugins.disabled",
    PluginState.REFUSED: "see to its owner and permissions, then restart",
    PluginState.MISSING_EXTRA: "install what it needs, or name it in plugins.disabled",
}


def of_plugins(loaded: Loaded) -> Iterator[Remark]:
    unwell = [report for report in loaded.registry.reports if not report.is_well]
    for report in unwell:
        said = f"{report.name} ({report.origin}): {report.state}: {report.detail}"
        yield warning(said, REMEDIES[report.state])
    yield fine(f"{len(loaded.registry.reports) - len(unwell)} plugins are well")


def of_configuration(loaded: Loaded) -> Iterator[Remark]:
    yield fine(f"{loaded.path or 'no file, the defaults'}: no mistakes")
    for words in loaded.config.left_out:
        yield warning(words, "write what it lacks, or take it out")
    if not loaded.config.notifiers:
        yield warning("nobody is told of alerts: there is no notifier", "set notifiers.telegram or notifiers.webhook")
    if not any(part.settings.enabled for part in loaded.config.rules):
        yield wrong("no rule is on, so nothing can raise an alert", "enable one below rules:")


async def of_parts(config: Config, surroundings: Surroundings) -> AsyncIterator[tuple[str, Remark]]:
    """(section, remark) for every part that has settings of its own."""
    for section in EXAMINED:
        for part in getattr(config, section):
            for remark in await _examine(part, surroundings):
                yield section, Remark(remark.level, f"{part.name}: {remark.text}", remark.remedy)


async def _examine(part: Part[Any], surroundings: Surroundings) -> list[Remark]:
    examine = getattr(part.settings, "examine", None)
    try:
        remarks = [] if examine is None else list(await examine(surroundings))
    except Exception as error:
        return [wrong(f"could not be examined: {type(error).__name__}", "report this to its author")]
    if remarks or not part.is_named:
        return remarks
    return [fine("configured")]
