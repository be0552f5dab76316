// What an agent has spent against what it may.

import { usd } from "./format";
import type { Agent, Rules } from "./wire";

export interface Limit {
  per: "day" | "total";
  usd: number;
}

/** The agent's own limit of a day, else of all it ever spends; null where neither is set or the rule is off. */
export function limitOf(rules: Rules | null, agentId: string): Limit | null {
  const cost = (rules && Object.hasOwn(rules.agents, agentId) ? rules.agents[agentId]!.cost : undefined) ?? rules?.rules.cost;
  if (!cost || cost.enabled === false || !Array.isArray(cost.limits)) return null;
  for (const per of ["day", "total"] as const) {
    const limits = cost.limits.filter((one) => one.per === per && one.scope !== "fleet" && one.usd > 0).map((one) => one.usd);
    if (limits.length) return { per, usd: Math.min(...limits) };
  }
  return null;
}

export interface Gauge {
  /** Of the limit; 1 and more: it is used up. */
  share: number;
  words: string;
}

/** Null where there is no limit, or today's cost is not known. */
export function gaugeOf(limit: Limit | null, agent: Agent, today: number | null): Gauge | null {
  if (limit === null) return null;
  if (limit.per === "total") {
    return { share: agent.costUsd / limit.usd, words: `${usd(agent.costUsd)} in all, of ${usd(limit.usd)}` };
  }
  if (today === null) return null;
  return { share: today / limit.usd, words: `${usd(today)} since midnight, of ${usd(limit.usd)} a day` };
}

export const toneOf = (share: number) => (share >= 1 ? "over" : share >= 0.8 ? "near" : "");
