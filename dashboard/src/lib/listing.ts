// The fleet as a list: searched, filtered, sorted, grouped.

import type { Agent } from "./wire";
import { STANDINGS, standing, type Standing } from "./words";

export type SortKey = "status" | "name" | "host" | "seen" | "cost" | "tokens" | "errors";
export type GroupKey = "" | "status" | "host" | "kind" | "group" | `label:${string}`;

export interface Wanted {
  text: string;
  standings: ReadonlySet<Standing>;
  sort: SortKey;
  isDescending: boolean;
  group: GroupKey;
}

export type Row = { key: string; agent: Agent } | { key: string; title: string; agents: number; troubled: number };

export function tally(agents: Iterable<Agent>): Record<Standing, number> {
  const counts = Object.fromEntries(STANDINGS.map((one) => [one, 0])) as Record<Standing, number>;
  for (const agent of agents) counts[standing(agent)]++;
  return counts;
}

/** The labels that agents carry, the most common first. */
export function labelsOf(agents: Iterable<Agent>, most = 12): string[] {
  const counts = new Map<string, number>();
  for (const agent of agents) {
    for (const label of Object.keys(agent.labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, most).map(([label]) => label);
}

export function rowsOf(agents: Iterable<Agent>, wanted: Wanted, today: ReadonlyMap<string, number> | null): Row[] {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Agent[] = [];
  for (const agent of agents) {
    if (wanted.standings.size && !wanted.standings.has(standing(agent))) continue;
    if (words.length && !mentions(agent, words)) continue;
    found.push(agent);
  }
  found.sort(comparison(wanted, today));
  return wanted.group ? grouped(found, wanted.group) : found.map(rowOf);
}

const rowOf = (agent: Agent): Row => ({ key: `a:${agent.id}`, agent });

function mentions(agent: Agent, words: string[]): boolean {
  const labels = Object.entries(agent.labels).map(([key, value]) => `${key}:${value}`);
  const text = [agent.id, agent.name, agent.host, agent.kind, agent.group, ...labels].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const byName = (a: Agent, b: Agent) => collator.compare(a.name || a.id, b.name || b.id) || (a.id < b.id ? -1 : 1);

function comparison(wanted: Wanted, today: ReadonlyMap<string, number> | null): (a: Agent, b: Agent) => number {
  const sign = wanted.isDescending ? -1 : 1;
  const by = (value: (agent: Agent) => number) => (a: Agent, b: Agent) => sign * (value(a) - value(b)) || byName(a, b);
  switch (wanted.sort) {
    case "status":
      return by((agent) => STANDINGS.indexOf(standing(agent)));
    case "seen":
      return by((agent) => (agent.lastSeen === null ? 0 : Date.parse(agent.lastSeen)));
    case "cost":
      return by((agent) => today?.get(agent.id) ?? 0);
    case "tokens":
      return by((agent) => agent.tokenCount);
    case "errors":
      return by((agent) => agent.errorCount);
    case "host":
      return (a, b) => sign * collator.compare(a.host, b.host) || byName(a, b);
    default:
      return (a, b) => sign * byName(a, b);
  }
}

function grouped(agents: Agent[], group: Exclude<GroupKey, "">): Row[] {
  const groups = new Map<string, Agent[]>();
  for (const agent of agents) {
    const title = titleOf(agent, group);
    const members = groups.get(title);
    if (members) members.push(agent);
    else groups.set(title, [agent]);
  }
  const rank = (title: string) => (group === "status" ? STANDINGS.indexOf(title as Standing) : title === "" ? 1 : 0);
  const titles = [...groups.keys()].sort((a, b) => rank(a) - rank(b) || collator.compare(a, b));
  return titles.flatMap((title) => {
    const members = groups.get(title)!;
    const troubled = members.filter((agent) => ["stuck", "error"].includes(standing(agent))).length;
    return [{ key: `g:${title}`, title: title || "none", agents: members.length, troubled }, ...members.map(rowOf)];
  });
}

function titleOf(agent: Agent, group: Exclude<GroupKey, "">): string {
  if (group === "status") return standing(agent);
  if (group.startsWith("label:")) {
    const label = group.slice("label:".length);
    return Object.hasOwn(agent.labels, label) ? agent.labels[label]! : "";
  }
  return agent[group as "host" | "kind" | "group"];
}
