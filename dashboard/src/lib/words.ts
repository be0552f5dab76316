// From what the API says to what people read.

import type { Agent, Alert, CommandBrief } from "./wire";

export type Standing = "stuck" | "error" | "paused" | "running" | "idle" | "pending" | "stopped";

/** Worst first: the order of the default list. */
export const STANDINGS: readonly Standing[] = ["stuck", "error", "paused", "running", "idle", "pending", "stopped"];

/** The contract's five words take idle for running and pending for stopped; the activity tells them apart. */
export function standing(agent: Agent): Standing {
  if (agent.status === "running") return agent.activity === "idle" ? "idle" : "running";
  if (agent.status === "stopped") {
    return agent.control.wanted !== "stopped" && agent.activity === "pending" ? "pending" : "stopped";
  }
  return agent.status;
}

/** What it does now, in as many words as are known; empty when nothing is. */
export function doing(agent: Agent): string {
  const command = agent.control.command;
  if (command !== null && isOpen(command)) return command.words;
  if (agent.doing) return agent.doing;
  if (agent.turn === "waiting") return "waits for a human";
  if (agent.turn === "open") return "in a turn";
  return "";
}

export const isOpen = (command: CommandBrief) => ["requested", "delivered", "claimed"].includes(command.state);

export interface Deed {
  verb: "pause" | "resume" | "stop";
  label: string;
  does: string;
}

const DOES: Record<string, Record<Deed["verb"], string>> = {
  native: {
    pause: "ClaWatch itself holds the agent: its next step is refused.",
    resume: "ClaWatch lets the agent go on.",
    stop: "ClaWatch itself ends the agent's work.",
  },
  cooperative: {
    pause: "The agent is asked to pause and answers when it has.",
    resume: "The agent is asked to go on.",
    stop: "The agent is asked to stop and answers when it has.",
  },
  reabort: {
    pause: "The agent is stopped again whenever it starts.",
    resume: "The agent is no longer stopped.",
    stop: "The agent is stopped again whenever it starts.",
  },
};

/** What ClaWatch can do for an agent, by the kind of its control. */
export const REACH: Record<string, string> = {
  native: "enforced by ClaWatch",
  cooperative: "asked, and it answers",
  reabort: "stopped again whenever it starts",
  none: "out of reach",
};

/** How sure it is that an agent has done what was asked. */
export const SURENESS: Record<string, string> = {
  requested: "not picked up yet",
  delivered: "picked up, not answered yet",
  claimed: "by its own word",
  confirmed: "confirmed",
  failed: "not done",
  unsupported: "cannot be done",
  expired: "no longer asked",
};

/** Whether a wish for this agent can come true at all. */
export const canControl = (agent: Agent) => agent.control.kind !== "none";

export function does(agent: Agent, verb: Deed["verb"]): string {
  return DOES[agent.control.kind]?.[verb] ?? "Nothing carries this to the agent: the wish is noted, and nothing more.";
}

export const SEVERITIES: readonly Alert["severity"][] = ["critical", "warning", "info"];

/** Firing before resolved, unheeded before heeded, worse before milder, newer before older. */
export function byUrgency(a: Alert, b: Alert): number {
  const heeded = (alert: Alert) => Number(alert.acknowledged || alert.silencedUntil !== null);
  return (
    heeded(a) - heeded(b) ||
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
    b.timestamp.localeCompare(a.timestamp)
  );
}

export const RULES: Record<string, string> = {
  stuck: "Stuck",
  error_spike: "Errors",
  cost: "Cost",
  loop: "Loop",
  pause_ignored: "Pause ignored",
};

export const ruleName = (rule: string) => RULES[rule] ?? rule.replaceAll("_", " ");
