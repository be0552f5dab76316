from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.freeagentics.settings import AlertAbove
from clawatch_plugins.freeagentics.watch import Watch, troubles_of

from clawatch.apis.host import HostFigures
from clawatch.domain.time import SECOND, Moment
from clawatch.ports import PartReport, StoreHealth, SystemReport
from clawatch.testing.clock import FakeClock

CALM = HostFigures(cpu_percent=5, memory_percent=10, process_bytes=1, load=0)


def report(*parts: PartReport, outbox: int = 0, behind: int = 0, ok: bool = True) -> SystemReport:
    return SystemReport(
        version="1", started_at=0, store=StoreHealth(ok=ok, detail="" if ok else "full"), outbox=outbox,
        journal_head=0, rules_behind=behind, parts=parts, status="ok",
    )


def part(section: str, name: str, state: str, detail: str = "") -> PartReport:
    return PartReport(section=section, name=name, state=state, detail=detail)


def told(watch: Watch, now: Moment, said: SystemReport | None = None, host: HostFigures = CALM) -> list[Any]:
    return [(news.topic, news.message.data) for news in watch.look(said or report(), (), host, now)]


@pytest.fixture
def watch() -> Watch:
    return Watch(report(), (), AlertAbove())


@pytest.mark.parametrize(("said", "type", "severity"), [
    (report(part("rules", "loop", "switched off", "switched off after 5 failures: KeyError")), "rule_switched_off",
     "error"),
    (report(part("loops", "web", "late")), "loop_late", "warning"),
    (report(part("apis", "clawatch", "failing", "did not answer")), "api_failing", "error"),
    (report(part("notifiers", "tg", "undeliverable", "undeliverable: no such chat")), "notifier_undeliverable",
     "error"),
    (report(part("plugins", "x", "missing-extra")), "plugin_missing_extra", "error"),
    (report(outbox=101), "queue_backlog", "warning"),
    (report(behind=10_001), "queue_backlog", "warning"),
    (report(ok=False), "service_unavailable", "error"),
    (None, "service_unavailable", "error"),
])
def test_what_is_wrong_has_a_type_and_a_severity(said: SystemReport | None, type: str, severity: str) -> None:
    (trouble,) = troubles_of(said).values()
    assert (trouble.type, trouble.severity) == (type, severity)
    assert trouble.message


@pytest.mark.parametrize("said", [
    report(), report(outbox=100, behind=10_000), report(part("plugins", "x", "disabled"), part("sources", "y", "ok")),
])
def test_what_is_well_is_no_trouble(said: SystemReport) -> None:
    assert troubles_of(said) == {}


def test_what_a_part_says_is_said_once() -> None:
    (trouble,) = troubles_of(report(part("notifiers", "tg", "retrying", "retrying: no route"))).values()
    assert trouble.message == "The notifier tg: retrying: no route"


def test_what_was_wrong_at_first_is_no_news_but_its_end_is(clock: FakeClock) -> None:
    watch = Watch(report(ok=False), (), AlertAbove())
    assert told(watch, clock.now(), report(ok=False)) == []
    (alert, status) = [data for _, data in told(watch, clock.now())]
    assert (alert.status, status.new_status) == ("resolved", "healthy")
    assert alert.alert_id


def test_a_second_trouble_is_told_without_a_change_of_the_whole(watch: Watch, clock: FakeClock) -> None:
    one, other = part("rules", "a", "switched off"), part("rules", "b", "switched off")
    assert [topic for topic, _ in told(watch, clock.now(), report(one))] == ["system_alert", "system_status"]
    assert [topic for topic, _ in told(watch, clock.now(), report(one, other))] == ["system_alert"]
    assert told(watch, clock.now(), report(one, other)) == []


def test_processors_have_to_be_busy_for_a_while(watch: Watch, clock: FakeClock) -> None:
    busy = HostFigures(cpu_percent=99, memory_percent=10, process_bytes=1, load=0)
    assert told(watch, clock.now(), host=busy) == []
    assert told(watch, clock.advance(29 * SECOND), host=busy) == []
    assert told(watch, clock.advance(SECOND), host=CALM) == []
    assert told(watch, clock.advance(SECOND), host=busy) == []
    ((_, alert),) = told(watch, clock.advance(30 * SECOND), host=busy)
    assert (alert.type, alert.current_value, alert.threshold) == ("high_cpu_usage", 99, 90)
    assert told(watch, clock.advance(30 * SECOND), host=busy) == []


def test_a_load_that_trembles_about_its_threshold_is_one_alert(watch: Watch, clock: FakeClock) -> None:
    values = [81.0, 79.0, 82.0, 76.0, 75.0, 79.0]
    hosts = [HostFigures(cpu_percent=1, memory_percent=value, process_bytes=1, load=0) for value in values]
    statuses = [[data.status for _, data in told(watch, clock.advance(SECOND), host=host)] for host in hosts]
    assert statuses == [["firing"], [], [], [], ["resolved"], []]


def test_thresholds_can_be_switched_off(clock: FakeClock) -> None:
    watch = Watch(report(), (), AlertAbove(memory=None, cpu=None))
    host = HostFigures(cpu_percent=100, memory_percent=100, process_bytes=1, load=9)
    assert told(watch, clock.now(), host=host) == told(watch, clock.advance(60 * SECOND), host=host) == []
