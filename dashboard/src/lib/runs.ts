// Runs: bounded pieces of work. What the page reads out of them.

import type { AgentEvent, Run } from "./wire";

export type RunStatus = Run["status"];

export const RUN_STATUSES: readonly RunStatus[] = ["running", "pending", "failed", "cancelled", "completed"];

export const isOpen = (run: Run) => run.status === "running" || run.status === "pending";

/** Each agent has ids of its own. */
export const keyOf = (run: Pick<Run, "id" | "agentId">) => `${run.agentId}\n${run.id}`;

/** Running first, then what waits, then what is over; the newest first. */
export function byPresence(a: Run, b: Run): number {
  const rank = (run: Run) => (run.status === "running" ? 0 : run.status === "pending" ? 1 : 2);
  return rank(a) - rank(b) || b.createdAt.localeCompare(a.createdAt) || (keyOf(a) < keyOf(b) ? -1 : 1);
}

/** Each once, as it was told last, in the order of ``byPresence``. */
export function merged(known: readonly Run[], told: readonly Run[]): Run[] {
  const byKey = new Map(known.map((run) => [keyOf(run), run]));
  for (const run of told) {
    const before = byKey.get(keyOf(run));
    if (!before || before.updatedAt <= run.updatedAt) byKey.set(keyOf(run), run);
  }
  return [...byKey.values()].sort(byPresence);
}

/** Milliseconds that it has taken, or takes so far; null while it waits. */
export function lasted(run: Run, now: number): number | null {
  if (run.startedAt === null) return isOpen(run) ? null : Date.parse(run.endedAt ?? run.updatedAt) - Date.parse(run.createdAt);
  const end = run.endedAt === null ? (isOpen(run) ? now : Date.parse(run.updatedAt)) : Date.parse(run.endedAt);
  return Math.max(0, end - Date.parse(run.startedAt));
}

export interface RunFilter {
  text: string;
  kind: string;
  status: string;
}

/** `open` stands for running and pending. */
export function fits(run: Run, wanted: RunFilter, nameOf: (id: string) => string): boolean {
  if (wanted.kind && run.kind !== wanted.kind) return false;
  if (wanted.status === "open" ? !isOpen(run) : wanted.status && run.status !== wanted.status) return false;
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  const said = [run.id, run.agentId, nameOf(run.agentId), run.kind, run.stage, run.error ?? ""].join("\n").toLowerCase();
  return words.every((word) => said.includes(word));
}

/** What of a run's input or result fits into a line; empty where there is nothing. */
export function brief(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    for (const key of ["prompt", "title", "name", "task", "query", "description", "text", "summary", "result", "response", "answer", "output", "message", "reasoning"]) {
      const text = (value as Record<string, unknown>)[key];
      if (typeof text === "string" && text) return text;
    }
  }
  return JSON.stringify(value) ?? "";
}

export const inFull = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));

export interface Step {
  at: string;
  stage: string;
  status: string;
  progress: number | null;
  error: string;
}

/** What its agent reported of it, the oldest first; what changes nothing to see is left out. */
export function stepsOf(events: readonly AgentEvent[], run: Pick<Run, "id" | "agentId">): Step[] {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const own = events.filter((event) => event.type === "run" && event.agentId === run.agentId && event.data.runId === run.id);
  own.sort((a, b) => a.timestamp.localeCompare(b.timestamp) || a.seq - b.seq);
  const steps: Step[] = [];
  for (const { timestamp, data } of own) {
    const progress = typeof data.progress === "number" ? data.progress : null;
    const step = { at: timestamp, stage: text(data.stage), status: text(data.status), progress, error: text(data.error) };
    const last = steps.at(-1);
    const isSame = last && (!step.stage || step.stage === last.stage) && (!step.status || step.status === last.status) && !step.error;
    if (isSame) last.progress = progress ?? last.progress;
    else steps.push(step);
  }
  return steps;
}

export interface Entry {
  provider: string;
  agentId: string;
  runId: string;
  rank: number | null;
  total: number | null;
  response: string;
  error: string;
  latencyMs: number | null;
  costUsd: number | null;
}

export interface Ranking {
  entries: Entry[];
  winner: string;
  reasoning: string;
  confidence: number | null;
}

/** How the entrants of a competition stand, the best first; null when this is none. */
export function rankingOf(run: Run): Ranking | null {
  const table = run.result as Record<string, unknown> | null;
  if (run.kind !== "competition" || table === null || typeof table !== "object" || !Array.isArray(table.entries)) return null;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const number = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);
  const entries = table.entries.filter((one) => one !== null && typeof one === "object").map((one: Record<string, unknown>): Entry => ({
    provider: text(one.provider), agentId: text(one.agentId), runId: text(one.runId), rank: number(one.rank),
    total: number((one.scores as Record<string, unknown> | null | undefined)?.total), response: text(one.response),
    error: text(one.error), latencyMs: number(one.latencyMs), costUsd: number(one.costUsd),
  }));
  entries.sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || a.provider.localeCompare(b.provider));
  return { entries, winner: text(table.winner), reasoning: text(table.reasoning), confidence: number(table.confidence) };
}
