// The last hour of the agents that are in sight, from the server's own counts.

import { get, query } from "./api";
import { fleet } from "./fleet.svelte";
import type { CostSeries } from "./wire";

const STEP = 2 * 60_000;
export const BUCKETS = 30;
const FRESH = 20_000;
/** Requests under way at once; the server counts them too. */
const AT_ONCE = 3;

export interface Hour {
  events: number[];
  errors: number[];
}

/** Points into buckets that end now. Buckets without points are truly zero: the server leaves them out. */
export function hourOf(series: CostSeries, now: number): Hour {
  const newest = Math.floor(now / STEP);
  const hour = { events: Array<number>(BUCKETS).fill(0), errors: Array<number>(BUCKETS).fill(0) };
  for (const point of series.points) {
    const place = BUCKETS - 1 - (newest - Math.floor(Date.parse(point.timestamp) / STEP));
    if (place < 0 || place >= BUCKETS) continue;
    hour.events[place]! += point.events;
    hour.errors[place]! += point.errors;
  }
  return hour;
}

class Activity {
  hours: ReadonlyMap<string, Hour> = $state.raw(new Map());
  private fetchedAt = new Map<string, number>();
  private wanted: string[] = [];
  private running = 0;

  /** Ask for these, unless they are fresh, or nothing came from the agent since. */
  want(ids: string[]): void {
    const now = Date.now();
    this.wanted = ids.filter((id) => {
      const at = this.fetchedAt.get(id);
      if (at === undefined) return true;
      const seen = fleet.agent(id)?.lastSeen;
      return now - at > 60_000 || (now - at > FRESH && seen != null && Date.parse(seen) > at);
    });
    while (this.running < AT_ONCE && this.wanted.length) void this.next();
  }

  private async next(): Promise<void> {
    const id = this.wanted.shift();
    if (id === undefined) return;
    this.running++;
    this.fetchedAt.set(id, Date.now());
    const now = Date.now();
    try {
      const from = new Date((Math.floor(now / STEP) - BUCKETS + 1) * STEP).toISOString();
      const path = query("/api/costs/series", { agentId: id, from, step: "2m" });
      const hour = hourOf(await get<CostSeries>(path), now);
      this.hours = new Map(this.hours).set(id, hour);
    } catch {
      if (this.hours.has(id)) {
        const hours = new Map(this.hours);
        hours.delete(id);
        this.hours = hours; // an old curve would pass for the present one
      }
    }
    this.running--;
    void this.next();
  }
}

export const activity = new Activity();
