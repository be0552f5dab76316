import { expect, test } from "vitest";
import { figure, keyframeAt, linesOf, marksOf, pacesOf, placeOf, POINTS, resolutionOf, sizesOf, viewOf } from "../src/lib/replay";
import type { RecordedEvent, Slice } from "../src/lib/wire";

const event = (tick: number, impact_score: number | null = null): RecordedEvent => ({
  id: "", tick, type: "t", source: null, description: null, affected_agents: null, variable_changes: {}, impact_score,
});

test("no more is read than is drawn, however long a recording is", () => {
  for (const total of [0, 1, 59, 240, 241, 100_000]) {
    const range = viewOf(0, "all", total);
    expect((range.last - range.first) / resolutionOf(range)).toBeLessThanOrEqual(POINTS);
  }
  expect(resolutionOf({ first: 0, last: 100 })).toBe(1);
});

test("what is in view stays until the tick leaves it, and never lies behind the end", () => {
  expect(viewOf(30, "50", 120)).toEqual({ first: 0, last: 50 });
  expect(viewOf(50, "50", 120)).toEqual({ first: 50, last: 100 });
  expect(viewOf(120, "50", 120)).toEqual({ first: 100, last: 120 });
  expect(viewOf(100, "50", 100)).toEqual({ first: 50, last: 100 });
  expect(viewOf(0, "50", 0)).toEqual({ first: 0, last: 0 });
  expect(sizesOf(300)).toEqual(["all", "50", "200"]);
});

test("the usual pace shows the whole in a time that people wait", () => {
  for (const total of [0, 5, 60, 1_440, 100_000]) {
    const { paces, usual } = pacesOf(total);
    expect(paces).toContain(usual);
    expect(total / usual).toBeLessThanOrEqual(60);
  }
});

test("the keyframe that holds is the newest that is not behind the tick", () => {
  expect([0, 9, 10, 35].map((tick) => keyframeAt([0, 10, 20], tick))).toEqual([0, 0, 10, 20]);
  expect(keyframeAt([5], 4)).toBeNull();
  expect([0, 4, 5, 99].map((tick) => placeOf([0, 5, 10], tick))).toEqual([0, 0, 1, 2]);
});

test("what is not known is a gap in a line, not a zero", () => {
  const slice: Slice = { data: [{ tick: 0, m: 1, by_segment: { m: { a: 2, b: null } } }, { tick: 1, m: null, by_segment: { m: { a: 3 } } }] };
  expect(linesOf(slice, "m", "", [])).toEqual({ ticks: [0, 1], lines: [{ name: "m", values: [1, null] }] });
  expect(linesOf(slice, "m", "segment", ["a", "b"]).lines.map((line) => line.values)).toEqual([[2, 3], [null, null]]);
  expect(linesOf(slice, "m", "region", ["x"]).lines[0]!.values).toEqual([null, null]);
});

test("many events at one place are one mark, as heavy as the heaviest", () => {
  const events = [...Array(1_000).keys()].map((tick) => event(tick, tick === 500 ? -0.9 : 0.1));
  const marks = marksOf(events, { first: 0, last: 999 }, 100);
  expect(marks).toHaveLength(101);
  expect(marks.find((mark) => mark.weight === 0.9)?.tick).toBe(500);
  expect(marksOf([event(5)], { first: 10, last: 20 })).toEqual([]);
});

test("figures are short, whatever they are", () => {
  expect([1234, 0.123456, 1.5e9, null, "x", true, [1]].map(figure)).toEqual(["1,234", "0.1235", "1.5B", "–", "x", "true", "[1]"]);
});
