import { expect, test } from "vitest";
import { brief, byPresence, fits, inFull, lasted, merged, rankingOf, stepsOf } from "../src/lib/runs";
import type { AgentEvent, Run } from "../src/lib/wire";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const run = (id: string, changes: Partial<Run> = {}): Run => ({
  id, agentId: "a", kind: "task", status: "running", stage: "", progress: 0, input: null, result: null, error: null,
  parentRunId: null, createdAt: at(0), updatedAt: at(0), startedAt: at(0), endedAt: null, requestedBy: "", ...changes,
});
const told = (seq: number, data: Record<string, unknown>): AgentEvent => ({
  seq, id: null, agentId: "a", sessionId: null, callId: null, phase: "point", signal: "api", origin: "live", turn: null,
  source: "clawatch", type: "run", timestamp: at(seq), receivedAt: at(seq), data: { runId: "r", ...data },
});

test("what runs comes first, then what waits, then what is over, the newest first", () => {
  const runs = [
    run("old", { status: "completed" }), run("new", { status: "failed", createdAt: at(5) }),
    run("waits", { status: "pending", createdAt: at(9) }), run("runs", { createdAt: at(1) }),
  ];
  expect(runs.sort(byPresence).map((one) => one.id)).toEqual(["runs", "waits", "new", "old"]);
});

test("a run is shown once, as it was told last, and two agents' runs of one id are two", () => {
  const known = [run("r", { updatedAt: at(3), stage: "late" })];
  const runs = merged(known, [run("r", { updatedAt: at(1), stage: "early" }), run("r", { agentId: "b" })]);
  expect(runs).toHaveLength(2);
  expect(runs.find((one) => one.agentId === "a")?.stage).toBe("late");
});

test("a run lasts from its beginning to its end, or until now", () => {
  expect(lasted(run("r", { startedAt: at(2), endedAt: at(7), status: "completed" }), 0)).toBe(5_000);
  expect(lasted(run("r", { startedAt: at(2) }), Date.parse(at(12)))).toBe(10_000);
  expect(lasted(run("r", { status: "pending", startedAt: null }), Date.parse(at(12)))).toBeNull();
});

test("runs are found by kind, by state and by what is said of them", () => {
  const one = run("r1", { kind: "inference", stage: "warm up", agentId: "x" });
  const named = () => "Night watch";
  const none = { text: "", kind: "", status: "" };
  expect(fits(one, { ...none, text: "night WARM" }, named)).toBe(true);
  expect(fits(one, { ...none, status: "open", kind: "inference" }, named)).toBe(true);
  expect(fits(one, { ...none, kind: "task" }, named)).toBe(false);
  expect(fits(one, { ...none, status: "failed" }, named)).toBe(false);
});

test("a run's stages are what its agent said, without what only moved on", () => {
  const events = [
    told(3, { stage: "load", progress: 0.4 }), told(1, { status: "running", stage: "load", progress: 0.1 }),
    told(5, { status: "failed", error: "no disk" }), { ...told(4, { stage: "other" }), agentId: "b" },
    told(2, { runId: "another", stage: "x" }),
  ];
  const steps = stepsOf(events, { id: "r", agentId: "a" });
  expect(steps.map((step) => [step.stage, step.status, step.progress, step.error])).toEqual([
    ["load", "running", 0.4, ""], ["", "failed", null, "no disk"],
  ]);
});

test("a competition's result is read as a ranking, whatever stands in it", () => {
  const entries = [
    { provider: "b", agentId: "b", runId: "2", rank: 2, scores: { total: 6 }, response: "<b>", latencyMs: 5 },
    { provider: "a", agentId: "a", runId: "1", rank: 1, scores: { total: "many" }, error: "late" }, null, "junk",
  ];
  const ranking = rankingOf(run("c", { kind: "competition", result: { entries, winner: "a" } }))!;
  expect(ranking.entries.map((entry) => [entry.provider, entry.total])).toEqual([["a", null], ["b", 6]]);
  expect(rankingOf(run("c", { kind: "competition", result: "text" }))).toBeNull();
  expect(rankingOf(run("c", { result: { entries } }))).toBeNull();
});

test("a run is called by what it was asked", () => {
  expect(brief({ role: "entrant", prompt: "write a poem" })).toBe("write a poem");
  expect(brief([1, 2])).toBe("[1,2]");
  expect(brief(null)).toBe("");
  expect(inFull({ a: 1 })).toBe('{\n  "a": 1\n}');
});
