import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Live, waitBefore, type Listener } from "../src/lib/live";

class Socket {
  static all: Socket[] = [];
  readyState = 1;
  sent: { type: string; cursor?: string | null }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor() {
    Socket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.onclose?.({ code: 1000 });
  }
  tell(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

const told: string[] = [];
const listener: Listener = {
  frame: (frame) => told.push(frame.type),
  reset: () => told.push("RESET"),
  state: (state) => told.push(state.toUpperCase()),
  refused: () => told.push("REFUSED"),
};
const newest = () => Socket.all.at(-1)!;
const open = (cursor: string | null = null) => new Live({ agents: ["*"], topics: [] }, listener, cursor, () => new Socket() as unknown as WebSocket);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", { OPEN: 1 });
  Socket.all = [];
  told.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("it comes back by itself and goes on from the last cursor", () => {
  const live = open("s.1");
  newest().onopen!();
  expect(newest().sent[0]).toMatchObject({ type: "subscribe", cursor: "s.1" });
  newest().tell({ type: "subscribed", cursor: "s.1", timestamp: "" });
  newest().tell({ type: "agent", cursor: "s.7", timestamp: "", data: {} });
  newest().onclose!({ code: 1006 });
  vi.advanceTimersByTime(1000);
  newest().onopen!();
  expect(newest().sent[0]).toMatchObject({ type: "subscribe", cursor: "s.7" });
  expect(Socket.all).toHaveLength(2);
  expect(told).toEqual(["subscribed", "LIVE", "agent", "DOWN"]);
  live.close();
});

test("without a cursor it begins with a reset, and what came before its wishes moves no cursor", () => {
  const live = open();
  newest().tell({ type: "agent", cursor: "s.3", timestamp: "", data: {} });
  newest().tell({ type: "subscribed", cursor: "s.9", timestamp: "" });
  newest().onclose!({ code: 1006 });
  vi.advanceTimersByTime(1000);
  newest().onopen!();
  expect(newest().sent[0]).toMatchObject({ cursor: "s.9" });
  expect(told).toContain("RESET");
  live.close();
});

test("a cursor that the server does not know means: fetch everything", () => {
  const live = open("old.5");
  newest().tell({ type: "reset", cursor: "new.2", timestamp: "" });
  newest().tell({ type: "subscribed", cursor: "new.2", timestamp: "" });
  expect(told.filter((one) => one === "RESET")).toHaveLength(1);
  live.close();
});

test("a connection that says nothing is given up", () => {
  const live = open("s.1");
  newest().tell({ type: "subscribed", cursor: "s.1", timestamp: "" });
  vi.advanceTimersByTime(31_000);
  expect(told).toContain("DOWN");
  expect(newest().sent).toBeDefined();
  live.close();
});

test("a refused login is not tried again", () => {
  const live = open("s.1");
  newest().onclose!({ code: 1008 });
  vi.advanceTimersByTime(60_000);
  expect(Socket.all).toHaveLength(1);
  expect(told).toContain("REFUSED");
  live.close();
});

test("tries come further apart, to a bound", () => {
  expect(waitBefore(0, 0.5)).toBe(400);
  expect(waitBefore(3, 0.5)).toBe(3200);
  expect(waitBefore(50, 1)).toBeLessThanOrEqual(12_500);
});
