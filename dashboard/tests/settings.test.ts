import { expect, test } from "vitest";
import { configLines, sought } from "../src/lib/config";
import { gaugeOf, limitOf, toneOf } from "../src/lib/limits";
import type { Agent, Rules } from "../src/lib/wire";

const limits = (...of: [string, number, string?][]) => ({ limits: of.map(([per, usd, scope = "agent"]) => ({ per, usd, scope })) });
const rules: Rules = { rules: { cost: limits(["total", 10]) }, agents: { own: { cost: limits(["total", 50], ["day", 3], ["day", 2]) } } };
const agent = { id: "a", costUsd: 8 } as Agent;

test("an agent's own limit goes before everybody's, and a day's before the total", () => {
  expect(limitOf(rules, "a")).toEqual({ per: "total", usd: 10 });
  expect(limitOf(rules, "own")).toEqual({ per: "day", usd: 2 });
  expect(limitOf(rules, "constructor")).toEqual({ per: "total", usd: 10 });
});

test("the fleet's limit, other spans and a rule that is off are no limit of an agent's", () => {
  expect(limitOf({ rules: { cost: limits(["day", 5, "fleet"], ["hour", 1]) }, agents: {} }, "a")).toBeNull();
  expect(limitOf({ rules: { cost: { enabled: false, ...limits(["day", 5]) } }, agents: {} }, "a")).toBeNull();
  expect(limitOf(null, "a")).toBeNull();
});

test("a day's limit is measured by today, the total by all there was", () => {
  expect(gaugeOf({ per: "total", usd: 10 }, agent, null)).toEqual({ share: 0.8, words: "$8.00 in all, of $10.00" });
  expect(gaugeOf({ per: "day", usd: 2 }, agent, 0.5)?.share).toBe(0.25);
  expect(gaugeOf({ per: "day", usd: 2 }, agent, null)).toBeNull();
  expect([0.5, 0.8, 1].map(toneOf)).toEqual(["", "near", "over"]);
});

const config = { server: { port: 8787, cors_origins: [] }, agents: [{ match: "b*", rules: { stuck: { after: "30m" } } }], empty: {} };

test("the configuration is lines, as a file would have them", () => {
  expect(configLines(config).map((line) => [line.depth, line.name, line.value])).toEqual([
    [0, "server", null], [1, "port", "8787"], [1, "cors_origins", "[]"],
    [0, "agents", null], [1, "", null], [2, "match", "b*"], [2, "rules", null], [3, "stuck", null], [4, "after", "30m"],
    [0, "empty", "{}"],
  ]);
});

test("a setting is found by its name, its value or what it belongs to, with what leads to it", () => {
  const lines = configLines(config);
  expect(sought(lines, "STUCK 30m").map((line) => line.name)).toEqual(["agents", "", "rules", "stuck", "after"]);
  expect(sought(lines, "8787").map((line) => line.name)).toEqual(["server", "port"]);
  expect(sought(lines, "nothing")).toEqual([]);
  expect(sought(lines, " ")).toHaveLength(lines.length);
});
