import { expect, test } from "vitest";
import { labelsOf, rowsOf, tally, type Wanted } from "../src/lib/listing";
import type { Agent } from "../src/lib/wire";
import { standing } from "../src/lib/words";

const agent = (id: string, changes: Partial<Agent> = {}): Agent => ({
  id, name: id, host: "", status: "running", createdAt: "2026-01-01T00:00:00Z", costUsd: 0, tokenCount: 0, errorCount: 0,
  kind: "", group: "", labels: {}, owner: "", activity: "running", lastSeen: null, lastProgress: null, turn: "none",
  doing: "", toolCalls: 0, unpricedTokens: 0,
  control: { kind: "cooperative", described: "", wanted: "run", command: null }, ...changes,
});
const wanted = (changes: Partial<Wanted> = {}): Wanted =>
  ({ text: "", standings: new Set(), sort: "status", isDescending: false, group: "", ...changes });
const ids = (agents: Agent[], how: Wanted, today: Map<string, number> | null = null) =>
  rowsOf(agents, how, today).map((row) => ("agent" in row ? row.agent.id : `[${row.title} ${row.agents}]`));

test("trouble comes first, and equal ones by name with numbers as numbers", () => {
  const agents = [agent("b10"), agent("b9"), agent("z", { status: "stuck" }), agent("y", { status: "error" })];
  expect(ids(agents, wanted())).toEqual(["z", "y", "b9", "b10"]);
});

test("every word of a search must be found, anywhere", () => {
  const agents = [agent("nightly", { host: "atlas", labels: { team: "core" } }), agent("other", { host: "atlas" })];
  expect(ids(agents, wanted({ text: "ATLAS team:core" }))).toEqual(["nightly"]);
});

test("idle and pending are told from running and stopped", () => {
  expect(standing(agent("a", { activity: "idle" }))).toBe("idle");
  expect(standing(agent("a", { status: "stopped", activity: "pending" }))).toBe("pending");
  expect(standing(agent("a", { status: "stopped", activity: "stopped" }))).toBe("stopped");
  expect(tally([agent("a"), agent("b", { activity: "idle" })])).toMatchObject({ running: 1, idle: 1, stuck: 0 });
});

test("groups have a row of their own, and those without come last", () => {
  const agents = [agent("a", { host: "x" }), agent("b"), agent("c", { host: "x", status: "stuck" })];
  expect(ids(agents, wanted({ group: "host" }))).toEqual(["[x 2]", "c", "a", "[none 1]", "b"]);
});

test("today's cost sorts by what is known of today", () => {
  const today = new Map([["a", 1], ["b", 2]]);
  expect(ids([agent("a"), agent("b"), agent("c")], wanted({ sort: "cost", isDescending: true }), today)).toEqual(["b", "a", "c"]);
});

test("a label that is called like a property of every object is only a label", () => {
  const odd = agent("a", { labels: { constructor: "x" } });
  expect(labelsOf([odd])).toEqual(["constructor"]);
  expect(ids([odd, agent("b")], wanted({ group: "label:constructor" }))).toEqual(["[x 1]", "a", "[none 1]", "b"]);
});
