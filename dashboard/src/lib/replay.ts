// Recordings: which part of one is in view, and how time goes by in it.

import type { RecordedEvent, Slice } from "./wire";

/** A chart holds so many points; more ticks than that are read with gaps. */
export const POINTS = 240;
/** Metrics, segments and regions that are drawn at once. */
export const MOST_METRICS = 4;
export const MOST_PARTS = 6;
export const WHOLE = "all";
const SIZES = [50, 200, 1_000, 5_000, 20_000];
const PACES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500];
/** Seconds that the whole of it takes at the pace it begins with. */
const SHOW = 40;

export interface Range {
  first: number;
  last: number;
}

/** How many ticks may be looked at at once, as words; the whole first. */
export const sizesOf = (total: number): string[] => [WHOLE, ...SIZES.filter((size) => size < total).map(String)];

/** The ticks in view: blocks that stay where they are, so that playing reads each once. */
export function viewOf(tick: number, size: string, total: number): Range {
  if (size === WHOLE) return { first: 0, last: total };
  const length = Number(size);
  const first = Math.min(Math.floor(tick / length) * length, Math.max(0, Math.floor((total - 1) / length) * length));
  return { first, last: Math.min(total, first + length) };
}

export const resolutionOf = (range: Range): number => Math.max(1, Math.ceil((range.last - range.first) / POINTS));

/** Ticks a second, from which to choose, and one that shows the whole in a time that people wait. */
export function pacesOf(total: number): { paces: number[]; usual: number } {
  const paces = PACES.filter((pace) => pace === 1 || pace <= total / 3);
  return { paces, usual: paces.find((pace) => total / pace <= SHOW) ?? paces.at(-1)! };
}

/** The newest keyframe that is not behind the tick; null where there is none. */
export function keyframeAt(keyframes: readonly number[], tick: number): number | null {
  let [low, high] = [0, keyframes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyframes[middle]! <= tick) low = middle + 1;
    else high = middle;
  }
  return low ? keyframes[low - 1]! : null;
}

export interface Lines {
  ticks: number[];
  lines: { name: string; values: (number | null)[] }[];
}

/** A metric as lines: one, or one for each of the parts. What is not known is a gap. */
export function linesOf(slice: Slice, metric: string, by: "" | "segment" | "region", parts: readonly string[]): Lines {
  const known = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);
  const ticks = slice.data.map((point) => point.tick);
  if (by === "") return { ticks, lines: [{ name: metric, values: slice.data.map((point) => known(point[metric])) }] };
  const of = (point: Slice["data"][number]) => (by === "segment" ? point.by_segment : point.by_region)?.[metric];
  const lines = parts.map((name) => ({ name, values: slice.data.map((point) => known(of(point)?.[name])) }));
  return { ticks, lines };
}

/** Where the tick stands among the points: the newest that is not behind it. */
export function placeOf(ticks: readonly number[], tick: number): number {
  const behind = ticks.findIndex((one) => one > tick);
  return Math.max(0, (behind < 0 ? ticks.length : behind) - 1);
}

export interface Mark {
  at: number;
  /** Of the heaviest event there, 0 to 1. */
  weight: number;
  tick: number;
}

/** Events as marks on a line of so many places. */
export function marksOf(events: readonly RecordedEvent[], range: Range, places = 300): Mark[] {
  const length = Math.max(1, range.last - range.first);
  const found = new Map<number, Mark>();
  for (const event of events) {
    if (event.tick < range.first || event.tick > range.last) continue;
    const place = Math.round(((event.tick - range.first) / length) * places);
    const weight = Math.min(1, Math.abs(event.impact_score ?? 0));
    const mark = found.get(place);
    if (!mark) found.set(place, { at: place / places, weight, tick: event.tick });
    else if (weight > mark.weight) Object.assign(mark, { weight, tick: event.tick });
  }
  return [...found.values()];
}

/** A number from a recording, short: its size is not known beforehand. */
export function figure(value: unknown): string {
  if (typeof value === "number") {
    if (Number.isInteger(value) && Math.abs(value) < 1e6) return value.toLocaleString("en");
    return value.toLocaleString("en", Math.abs(value) >= 1e5 ? { notation: "compact", maximumSignificantDigits: 4 } : { maximumSignificantDigits: 4 });
  }
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : typeof value === "boolean" ? String(value) : (JSON.stringify(value) ?? "");
}
