// Points of a series on an even grid of steps, one row of values per group.

import type { CostPoint, CostSeries, LatencySeries } from "./wire";

export interface Grid {
  /** Seconds since 1970, as charts want them. */
  at: number[];
  /** Null: not known. */
  groups: { name: string; values: (number | null)[] }[];
}

/** The most groups that are told apart; the rest are "others". */
export const MOST_GROUPS = 6;

/** Steps without a point are truly zero: the server leaves them out. */
export function gridOf(series: CostSeries, value: (point: CostPoint) => number, most = MOST_GROUPS): Grid {
  const step = series.stepSeconds;
  const first = Math.floor(Date.parse(series.from) / 1000 / step) * step;
  const last = Math.floor(Date.parse(series.to) / 1000 / step) * step;
  const at = Array.from({ length: Math.max(1, (last - first) / step + 1) }, (_, place) => first + place * step);
  const sums = new Map<string, number>();
  for (const point of series.points) sums.set(point.group, (sums.get(point.group) ?? 0) + value(point));
  const ranked = [...sums].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const named = ranked.length > most ? ranked.slice(0, most - 1) : ranked;
  const rows = new Map(named.map((name) => [name, Array<number>(at.length).fill(0)]));
  const others = ranked.length > most ? Array<number>(at.length).fill(0) : null;
  for (const point of series.points) {
    const place = Math.floor((Date.parse(point.timestamp) / 1000 - first) / step);
    const row = rows.get(point.group) ?? others;
    if (row && place >= 0 && place < row.length) row[place]! += value(point);
  }
  const groups = [...rows].map(([name, values]) => ({ name, values }));
  if (others) groups.push({ name: `${ranked.length - named.length} others`, values: others });
  return { at, groups };
}

/** The percentiles of a span; steps in which nothing was timed are gaps. */
export function percentilesOf(series: LatencySeries, from: number, to: number): Grid {
  const step = series.step;
  const first = Math.floor(from / 1000 / step) * step;
  const at = Array.from({ length: Math.max(1, Math.floor((to / 1000 - first) / step) + 1) }, (_, place) => first + place * step);
  const groups = (["p50", "p95", "p99"] as const).map((name) => ({ name, values: Array<number | null>(at.length).fill(null) }));
  for (const point of series.points) {
    const place = Math.floor((Date.parse(point.timestamp) / 1000 - first) / step);
    if (place >= 0 && place < at.length) for (const group of groups) group.values[place] = point[group.name];
  }
  return { at, groups: series.points.length ? groups : [] };
}

/** Each row on top of those before it. */
export function stacked(rows: (number | null)[][]): number[][] {
  const sum = rows[0] ? Array<number>(rows[0].length).fill(0) : [];
  return rows.map((row) => row.map((value, place) => (sum[place]! += value ?? 0)));
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where a chart of this span begins: not long before there was anything to draw. */
export const beginning = (now: number, span: number, since: number) => Math.max(now - span, Math.min(since, now - span / 6));

/** A step that draws a span in some 50 to 100 bars, as the API writes it. */
export function stepFor(span: number): string {
  if (span <= 40 * MINUTE) return "1m";
  if (span <= 2 * HOUR) return "2m";
  if (span <= 8 * HOUR) return "5m";
  if (span <= 1.5 * DAY) return "30m";
  if (span <= 8 * DAY) return "3h";
  return "1d";
}

export interface Latency {
  tool: string;
  calls: number;
  failures: number;
  p50: number | null;
  p95: number | null;
}

/** The nearest-rank percentile of sorted values. */
export const percentile = (sorted: number[], share: number): number | null =>
  sorted.length ? sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]! : null;
