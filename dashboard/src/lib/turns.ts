// An agent's events by session, and within it by turn: from what opened it to what came of it.

import { failed } from "./events";
import type { AgentEvent } from "./wire";

export interface Turn {
  key: string;
  /** Newest first, without the heartbeats. */
  events: AgentEvent[];
  /** What opened it; null where that is not known, or the agent does not work in turns. */
  opener: AgentEvent | null;
  isClosed: boolean;
  beats: number;
  began: string;
  ended: string;
  tools: number;
  errors: number;
  costUsd: number;
}

export interface Session {
  /** Empty for what belongs to none. */
  id: string;
  turns: Turn[];
}

/** Clients report a prompt twice, by hook and by log; so close together they are one. */
const SAME_PROMPT = 5_000;

const isPrompt = (event: AgentEvent) => event.type === "message" && event.data.role === "user";
const closes = (event: AgentEvent) => event.turn === "closed";

/** A prompt opens a turn; without one, whatever says "open" where none was. Many events say so while one goes on. */
function openersOf(events: readonly AgentEvent[]): Set<AgentEvent> {
  const found = new Set<AgentEvent>();
  let isOpen = false;
  for (const event of events.toReversed()) {
    if (isPrompt(event) || (event.turn === "open" && !isOpen)) found.add(event);
    if (isPrompt(event) || event.turn !== null) isOpen = !closes(event);
  }
  return found;
}
const isBeat = (event: AgentEvent) => event.type === "heartbeat" && !failed(event) && !event.data.message && !event.turn;

/** Of events newest first. Sessions by their newest event; what has no session goes with what came after it. */
export function bySession(events: readonly AgentEvent[]): Session[] {
  const sessions = new Map<string, AgentEvent[]>();
  let current = "";
  for (const event of events) {
    current = event.sessionId ?? current;
    const own = sessions.get(current);
    if (own) own.push(event);
    else sessions.set(current, [event]);
  }
  return [...sessions].map(([id, own]) => ({ id, turns: turnsOf(id, own) }));
}

function turnsOf(session: string, events: readonly AgentEvent[]): Turn[] {
  const turns: Turn[] = [];
  const openers = openersOf(events);
  let own: AgentEvent[] = [];
  const end = (opener: AgentEvent | null) => {
    if (own.length) turns.push(turnOf(opener === null ? `${session} before` : `${session} ${opener.seq}`, own, opener));
    own = [];
  };
  for (const event of events) {
    const before = turns.at(-1);
    const again = own.length === 0 && before?.opener && openers.has(event) && Date.parse(before.opener.timestamp) - Date.parse(event.timestamp) < SAME_PROMPT;
    if (again) {
      before.events.push(event);
      before.began = event.timestamp;
      continue;
    }
    own.push(event);
    if (openers.has(event)) end(event);
  }
  end(null);
  return turns;
}

function turnOf(key: string, events: AgentEvent[], opener: AgentEvent | null): Turn {
  const told = events.filter((event) => !isBeat(event));
  const cost = (event: AgentEvent) => (typeof event.data.costUsd === "number" ? event.data.costUsd : 0);
  return {
    key, opener, events: told,
    isClosed: events.some(closes),
    beats: events.length - told.length,
    began: events.at(-1)!.timestamp,
    ended: events[0]!.timestamp,
    tools: told.filter((event) => event.type === "tool_call" && event.phase !== "start").length,
    errors: told.filter(failed).length,
    costUsd: told.reduce((sum, event) => sum + cost(event), 0),
  };
}
