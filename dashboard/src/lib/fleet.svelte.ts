// Everything the page keeps up to date: agents, firing alerts, and how fresh they are.

import { get, goToLogin, query, say } from "./api";
import { clock } from "./clock.svelte";
import { startOfDay } from "./format";
import { Live, type State } from "./live";
import type { Agent, Alert, CostReport, Frame, Rules, System } from "./wire";

/** Changes are shown together, so often: a busy fleet must not keep the page busy. */
const SHOW_EVERY = 250;
const COSTS_EVERY = 5_000;
const RULES_EVERY = 5 * 60_000;
const MOST_ALERTS = 1_000;

type Hearer = (frame: Frame) => void;

class Fleet {
  agents: ReadonlyMap<string, Agent> = $state.raw(new Map());
  firing: readonly Alert[] = $state.raw([]);
  /** What each agent has cost since midnight here; null until it is known. */
  today: ReadonlyMap<string, number> | null = $state.raw(null);
  /** What the rules allow; null where that is not known. */
  rules: Rules | null = $state.raw(null);
  connection: State = $state("connecting");
  /** When the page last was sure to show everything, by the server's clock. */
  freshAt = $state(Date.now());
  loaded = $state(false);
  error = $state("");

  private live: Live | null = null;
  private agentChanges = new Map<string, Agent | null>();
  private alerts = new Map<string, Alert>();
  private hasAlertChanges = false;
  private showing: ReturnType<typeof setTimeout> | undefined;
  private costsAt = 0;
  private costsWanted: ReturnType<typeof setTimeout> | undefined;
  private fetching = 0;
  private hearers = new Set<Hearer>();

  start(): void {
    for (const name of ["online", "focus"]) addEventListener(name, () => this.live?.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.live?.wake());
    setInterval(() => this.live && (this.freshAt = this.live.freshAt + (clock.now - Date.now())), 1000);
    setInterval(() => void this.fetchCosts(), 60_000);
    setInterval(() => document.hidden || void this.fetchRules(), RULES_EVERY);
    void this.connect();
  }

  /** The place in the stream first, then the lists: what changes in between is told by the stream. */
  private async connect(): Promise<void> {
    let system: System;
    try {
      system = await get<System>("/api/system");
    } catch (error) {
      this.error = say(error);
      this.connection = "down";
      setTimeout(() => void this.connect(), 3000);
      return;
    }
    clock.heard(system.timestamp);
    this.live = new Live(
      { agents: ["*"], topics: ["agents", "alerts", "commands"] },
      {
        frame: (frame) => this.hear(frame),
        reset: () => void this.fetchAll(),
        state: (state) => (this.connection = state),
        refused: goToLogin,
      },
      system.cursor,
    );
    void this.fetchAll();
  }

  /** Called for each frame until the returned function is. */
  listen(hearer: Hearer): () => void {
    this.hearers.add(hearer);
    return () => this.hearers.delete(hearer);
  }

  agent(id: string): Agent | undefined {
    return this.agents.get(id);
  }

  nameOf(id: string): string {
    return this.agents.get(id)?.name || id;
  }

  /** An answer of the API that is newer than what we had. */
  tookAgent(agent: Agent): void {
    this.agentChanges.set(agent.id, agent);
    this.showSoon();
  }

  tookAlert(alert: Alert): void {
    if (alert.state === "firing") this.alerts.set(alert.id, alert);
    else this.alerts.delete(alert.id);
    this.hasAlertChanges = true;
    this.showSoon();
  }

  private hear(frame: Frame): void {
    if ("timestamp" in frame && (frame.type === "subscribed" || frame.type === "pong")) clock.heard(frame.timestamp);
    if (frame.type === "agent") {
      this.agentChanges.set(frame.data.id, "deleted" in frame.data ? null : frame.data);
      this.showSoon();
    } else if (frame.type === "alert") {
      this.tookAlert(frame.data);
    }
    for (const hearer of this.hearers) hearer(frame);
  }

  private showSoon(): void {
    this.showing ??= setTimeout(() => this.show(), this.loaded && this.agents.size < 500 ? 30 : SHOW_EVERY);
  }

  private show(): void {
    this.showing = undefined;
    if (this.fetching) return; // shown when the list is here
    if (this.agentChanges.size) {
      const agents = new Map(this.agents);
      let hasSpent = false;
      for (const [id, agent] of this.agentChanges) {
        hasSpent ||= agent !== null && agent.costUsd !== agents.get(id)?.costUsd;
        if (agent === null) agents.delete(id);
        else agents.set(id, agent);
      }
      this.agentChanges.clear();
      this.agents = agents;
      if (hasSpent) this.fetchCostsSoon();
    }
    if (this.hasAlertChanges) {
      this.hasAlertChanges = false;
      this.firing = [...this.alerts.values()];
    }
  }

  private async fetchAll(): Promise<void> {
    const turn = (this.fetching = Date.now() + Math.random());
    this.agentChanges.clear();
    try {
      const [{ agents }, alerts] = await Promise.all([get<{ agents: Agent[] }>("/api/agents"), fetchFiring()]);
      if (turn !== this.fetching) return;
      this.agents = new Map(agents.map((agent) => [agent.id, agent]));
      this.alerts = new Map(alerts.map((alert) => [alert.id, alert]));
      this.hasAlertChanges = true;
      this.loaded = true;
      this.error = "";
    } catch (error) {
      this.error = say(error);
      if (!this.loaded) setTimeout(() => void this.fetchAll(), 3000);
    }
    this.fetching = 0;
    this.show();
    void this.fetchCosts();
    void this.fetchRules();
  }

  private async fetchRules(): Promise<void> {
    this.rules = await get<Rules>("/api/rules").catch(() => null);
  }

  private fetchCostsSoon(): void {
    this.costsWanted ??= setTimeout(() => void this.fetchCosts(), Math.max(0, this.costsAt + COSTS_EVERY - Date.now()));
  }

  private async fetchCosts(): Promise<void> {
    clearTimeout(this.costsWanted);
    this.costsWanted = undefined;
    this.costsAt = Date.now();
    if (document.hidden && this.today !== null) return;
    try {
      const report = await get<CostReport>(query("/api/costs", { from: startOfDay(clock.now).toISOString() }));
      this.today = new Map(report.byAgent.map((one) => [one.agentId, one.costUsd]));
    } catch {
      this.today = null; // better nothing than yesterday's sum
    }
  }
}

async function fetchFiring(): Promise<Alert[]> {
  const all: Alert[] = [];
  let cursor: string | null = null;
  do {
    const page: { alerts: Alert[]; next: string | null } = await get(query("/api/alerts", { state: "firing", cursor }));
    all.push(...page.alerts);
    cursor = page.next;
  } while (cursor !== null && all.length < MOST_ALERTS);
  return all;
}

export const fleet = new Fleet();
