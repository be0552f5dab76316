// What an event says, in one line for people, whichever client it came from.

import { count, line, span, usd } from "./format";
import type { AgentEvent } from "./wire";

export type Tone = "" | "bad" | "muted";

export interface Told {
  what: string;
  text: string;
  /** Small facts: durations, costs. */
  facts: string[];
  tone: Tone;
}

const text = (value: unknown) => (typeof value === "string" ? value : "");
const number = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/** A duration that may be shorter than a second. */
export const took = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : span(ms));

export const failed = (event: AgentEvent) => event.type === "error" || event.data.ok === false || !!text(event.data.error);

export function errorOf(event: AgentEvent): string {
  return text(event.data.error) || (event.type === "error" ? text(event.data.message) : "");
}

export function tell(event: AgentEvent): Told {
  const { data } = event;
  const told: Told = { what: event.type.replaceAll("_", " "), text: "", facts: facts(event), tone: failed(event) ? "bad" : "" };
  switch (event.type) {
    case "tool_call":
      told.what = text(data.toolName) || "tool call";
      told.text = failed(event) ? errorOf(event) || "failed" : argumentsOf(data.arguments);
      break;
    case "error":
      told.text = errorOf(event);
      break;
    case "cost":
      told.text = text(data.model);
      break;
    case "status_change":
      told.what = "status";
      told.text = text(data.status);
      break;
    case "run":
      told.text = [text(data.kind), text(data.status), text(data.stage)].filter(Boolean).join(", ");
      break;
    case "metrics":
      told.text = Object.entries(data).filter(([, value]) => number(value) !== null).slice(0, 4).map(([key, value]) => `${key} ${count(value as number)}`).join(", ");
      told.tone = "muted";
      break;
    default:
      told.text = text(data.message) || text(data.name) || text(data.text) || unsaid(data);
      if (event.type === "heartbeat") told.tone = "muted";
  }
  told.text = line(told.text, 400);
  return told;
}

/** Of a message whose words are not kept, who said how much. */
function unsaid(data: Record<string, unknown>): string {
  const who = { user: "a prompt", assistant: "an answer" }[text(data.role)] ?? text(data.role);
  const length = number(data.length);
  return who && length !== null ? `${who} of ${count(length)} characters` : who;
}

function argumentsOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    const values = Object.values(value);
    if (values.length === 1 && typeof values[0] === "string") return values[0];
  }
  return JSON.stringify(value) ?? "";
}

function facts(event: AgentEvent): string[] {
  const { data } = event;
  const found: string[] = [];
  if (event.phase === "start") found.push("started");
  const ms = number(data.durationMs);
  if (ms !== null) found.push(took(ms));
  const tokens = number(data.tokenCount);
  if (tokens) found.push(`${count(tokens)} tokens`);
  const cost = number(data.costUsd);
  if (cost !== null) found.push(usd(cost));
  if (event.origin === "history") found.push("from the past");
  if (event.origin === "late") found.push("came late");
  return found;
}

/** Equal neighbours (the same words and tone) as one, newest first as they come. */
export function folded(events: readonly AgentEvent[]): { event: AgentEvent; times: number; until: string }[] {
  const rows: { event: AgentEvent; times: number; until: string; key: string }[] = [];
  for (const event of events) {
    const told = tell(event);
    const key = `${event.type}\n${event.phase}\n${event.sessionId}\n${told.what}\n${told.text}\n${told.tone}`;
    const last = rows.at(-1);
    if (last?.key === key) {
      last.times++;
      last.until = event.timestamp;
    } else {
      rows.push({ event, times: 1, until: event.timestamp, key });
    }
  }
  return rows;
}
