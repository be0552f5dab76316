import { expect, test } from "vitest";
import { bySession } from "../src/lib/turns";
import { percentilesOf } from "../src/lib/series";
import type { AgentEvent } from "../src/lib/wire";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const event = (second: number, type: string, changes: Partial<AgentEvent> = {}): AgentEvent => ({
  seq: second, id: null, agentId: "a", sessionId: "s", callId: null, phase: "point", signal: "hook", origin: "live", turn: null,
  source: "claude_code", type, timestamp: at(second), receivedAt: at(second), data: {}, ...changes,
});
const prompt = (second: number, changes: Partial<AgentEvent> = {}) => event(second, "message", { data: { role: "user", message: "go" }, ...changes });

test("a turn begins with a prompt and holds what came of it", () => {
  const events = [
    event(30, "status_change", { turn: "closed" }), event(25, "tool_call", { data: { ok: false, toolName: "x" } }),
    event(24, "cost", { data: { costUsd: 0.5 } }), prompt(20),
    event(12, "tool_call"), event(11, "tool_call", { phase: "start" }), event(10, "message", { turn: "open" }),
  ];
  const [session] = bySession(events);
  expect(session!.turns.map((turn) => [turn.opener?.seq, turn.tools, turn.errors, turn.costUsd, turn.isClosed])).toEqual([
    [20, 1, 1, 0.5, true], [10, 1, 0, 0, false],
  ]);
});

test("what goes on in an open turn opens no other, and neither does a human's word in between", () => {
  const open = (second: number) => event(second, "tool_call", { turn: "open" });
  const events = [open(30), event(20, "status_change", { turn: "closed" }), open(9), event(8, "status_change", { turn: "waiting" }), open(7), prompt(1)];
  expect(bySession(events)[0]!.turns.map((turn) => [turn.opener?.seq, turn.events.length])).toEqual([[30, 1], [1, 5]]);
});

test("a prompt that two ways told is one, and what came before the first stands alone", () => {
  const events = [event(9, "tool_call"), prompt(8), prompt(7, { signal: "log" }), event(2, "tool_call")];
  const turns = bySession(events)[0]!.turns;
  expect(turns.map((turn) => [turn.opener?.seq ?? null, turn.events.length])).toEqual([[8, 3], [null, 1]]);
  expect(turns[0]!.began).toBe(at(7));
});

test("sessions stay together, and what has none goes with its neighbour", () => {
  const events = [event(5, "tool_call"), event(4, "tool_call", { sessionId: "t" }), event(3, "error", { sessionId: null }), event(2, "tool_call")];
  const sessions = bySession(events);
  expect(sessions.map((session) => [session.id, session.turns.flatMap((turn) => turn.events).length])).toEqual([["s", 2], ["t", 2]]);
});

test("heartbeats are counted, not listed, unless they say something", () => {
  const beats = [5, 4, 3].map((second) => event(second, "heartbeat", { sessionId: null }));
  const spoken = event(2, "heartbeat", { sessionId: null, data: { message: "back again" } });
  const [turn] = bySession([...beats, spoken])[0]!.turns;
  expect([turn!.beats, turn!.events.length, turn!.ended]).toEqual([3, 1, at(5)]);
});

test("what was not timed is a gap in the percentiles", () => {
  const series = { step: 60, points: [{ timestamp: at(60), p50: 1, p95: 2, p99: 3, count: 4 }] };
  const grid = percentilesOf(series, Date.parse(at(0)), Date.parse(at(125)));
  expect(grid.groups.map((group) => group.values)).toEqual([[null, 1, null], [null, 2, null], [null, 3, null]]);
  expect(percentilesOf({ step: 60, points: [] }, 0, 60_000).groups).toEqual([]);
});
