import { expect, test } from "vitest";
import { csvOf } from "../src/lib/csv";
import { folded, tell } from "../src/lib/events";
import { ago, bytes, count, line, span, usd } from "../src/lib/format";
import { placeOf, runHref } from "../src/lib/places";
import { beginning, gridOf, percentile, stacked, stepFor } from "../src/lib/series";
import { snippets } from "../src/lib/snippets";
import { visible } from "../src/lib/window";
import type { AgentEvent, CostPoint, CostSeries } from "../src/lib/wire";

const event = (type: string, data: Record<string, unknown>, changes: Partial<AgentEvent> = {}): AgentEvent => ({
  seq: 1, id: null, agentId: "a", sessionId: null, callId: null, phase: "point", signal: "api", origin: "live", turn: null,
  source: "clawatch", type, timestamp: "2026-01-01T00:00:00Z", receivedAt: "2026-01-01T00:00:00Z", data, ...changes,
});

test("spans are said in at most two units", () => {
  expect([8_000, 240_000, 7_800_000, 273_600_000].map(span)).toEqual(["8 s", "4 min", "2 h 10 min", "3 d 4 h"]);
  expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:01Z"))).toBe("just now");
});

test("money is never rounded to nothing", () => {
  expect([0, 12.345, 0.004, 0.0000001].map(usd)).toEqual(["$0.00", "$12.35", "$0.0040", "<$0.0001"]);
  expect([9_999, 123_456].map(count)).toEqual(["9,999", "123K"]);
  expect([0, 512, 1_048_576].map(bytes)).toEqual(["0 B", "512 B", "1.0 MB"]);
});

test("what agents write is one line, and bounded", () => {
  expect(line("a\n\tb  c")).toBe("a b c");
  expect(line("x".repeat(10_000))).toHaveLength(301);
});

test("a failed call says why, a fine one what it was called with", () => {
  expect(tell(event("tool_call", { toolName: "exec", ok: false, error: "no" }))).toMatchObject({ what: "exec", text: "no", tone: "bad" });
  expect(tell(event("tool_call", { toolName: "exec", ok: true, arguments: { cmd: "make" }, durationMs: 1500 }))).toMatchObject({ text: "make", facts: ["1.5 s"], tone: "" });
});

test("equal neighbours are one row", () => {
  const same = [event("error", { message: "x" }, { seq: 3 }), event("error", { message: "x" }, { seq: 2 })];
  const rows = folded([...same, event("error", { message: "y" })]);
  expect(rows.map((row) => row.times)).toEqual([2, 1]);
});

test("addresses name pages, and ids may hold anything", () => {
  expect(placeOf("/")).toEqual({ page: "fleet", id: "", agent: "" });
  expect(placeOf("/agents/a%2Fb%20c")).toMatchObject({ page: "agent", id: "a/b c" });
  expect(placeOf("/alerts/")).toMatchObject({ page: "alerts", id: "" });
  expect(placeOf("/agents/%E0%A4%A")).toMatchObject({ page: "agent", id: "%E0%A4%A" });
  const [path, search] = runHref("r/1", "a&b=c").split("?");
  expect(placeOf(path!, search)).toEqual({ page: "run", id: "r/1", agent: "a&b=c" });
  expect(placeOf("/recordings/n")).toMatchObject({ page: "replay", id: "n" });
  expect(placeOf("/nothing").page).toBe("missing");
});

test("only rows near the window are drawn", () => {
  expect(visible(5000, 40, 4000, 800)).toEqual({ first: 92, last: 128 });
  expect(visible(3, 40, 9000, 800)).toEqual({ first: 3, last: 3 });
});

test("a series stands on an even grid, with zeros where nothing was", () => {
  const point = (timestamp: string, group: string, costUsd: number) => ({ timestamp, group, costUsd }) as CostPoint;
  const series: CostSeries = {
    by: "model", from: "2026-01-01T00:00:00Z", to: "2026-01-01T02:30:00Z", stepSeconds: 3600,
    points: [point("2026-01-01T00:00:00Z", "a", 1), point("2026-01-01T02:00:00Z", "b", 2)],
  };
  const grid = gridOf(series, (one) => one.costUsd);
  expect(grid.groups).toEqual([{ name: "b", values: [0, 0, 2] }, { name: "a", values: [1, 0, 0] }]);
  expect(stacked(grid.groups.map((group) => group.values))).toEqual([[0, 0, 2], [1, 0, 2]]);
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(percentile([], 0.5)).toBeNull();
});

test("no span asks for more points than the server gives", () => {
  const minutes: Record<string, number> = { "1m": 1, "2m": 2, "5m": 5, "30m": 30, "3h": 180, "1d": 1440 };
  for (const days of [0.04, 0.3, 1, 7, 31, 90]) expect((days * 1440) / minutes[stepFor(days * 86_400_000)]!).toBeLessThan(150);
});

test("the chart of a young agent begins when it did, or not much before", () => {
  expect(beginning(1_000, 600, 0)).toBe(400);
  expect(beginning(1_000, 600, 700)).toBe(700);
  expect(beginning(1_000, 600, 990)).toBe(900);
});

test("a spreadsheet runs nothing that an agent is called", () => {
  expect(csvOf([["=HYPERLINK(1)", 'a"b', 1.5]])).toBe("'=HYPERLINK(1),\"a\"\"b\",1.5\r\n");
});

test("what is pasted holds the address and the key", () => {
  for (const { text } of snippets("https://watch.example", "cw_abc")) {
    expect(text).toContain("https://watch.example");
    expect(text).toContain("cw_abc");
  }
  const written = snippets("http://h", "k").find(({ name }) => name === "Claude Code")!.text;
  expect(written.replaceAll(" \\\n ", "")).toBe("clawatch connect claude-code --url http://h --key k --write");
});
