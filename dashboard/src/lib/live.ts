// The live stream: one socket that comes back by itself and goes on from its cursor.

import type { Frame } from "./wire";

export type State = "connecting" | "live" | "down";

export interface Wanted {
  agents: string[];
  topics: string[];
}

export interface Listener {
  frame(frame: Frame): void;
  /** The stream begins anew: fetch everything. Called when it began without a cursor, or with one not known. */
  reset(): void;
  state(state: State): void;
  /** The server no longer takes our login. */
  refused(): void;
}

const PING_EVERY = 15_000;
const SILENT_AFTER = 25_000;
const FIRST_WAIT = 400;
const LONGEST_WAIT = 10_000;
const POLICY = 1008;

/** Milliseconds before the n-th try, with some chance in it so that pages do not come back all at once. */
export function waitBefore(tries: number, chance = Math.random()): number {
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries) * (0.75 + chance / 2);
}

export class Live {
  private socket: WebSocket | null = null;
  private tries = 0;
  private heardAt = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly pulse: ReturnType<typeof setInterval>;
  private isClosed = false;
  /** When it last was sure to have everything, on this machine's clock. */
  freshAt = Date.now();

  constructor(
    private readonly wanted: Wanted,
    private readonly listener: Listener,
    /** Go on behind this; null: from now on, beginning with a reset. */
    private cursor: string | null = null,
    private readonly open: () => WebSocket = () =>
      new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`),
  ) {
    this.pulse = setInterval(() => this.check(), PING_EVERY);
    this.connect();
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.pulse);
    clearTimeout(this.retry);
    this.socket?.close();
  }

  /** Try at once: the network is back, or somebody looks at the page again. */
  wake(): void {
    if (this.isClosed) return;
    if (this.socket === null) {
      clearTimeout(this.retry);
      this.connect();
    } else {
      this.check();
    }
  }

  private connect(): void {
    const socket = (this.socket = this.open());
    this.heardAt = Date.now();
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: "subscribe", ...this.wanted, types: [], cursor: this.cursor }));
    socket.onmessage = (message) => this.hear(JSON.parse(String(message.data)) as Frame);
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  private hear(frame: Frame): void {
    this.heardAt = this.freshAt = Date.now();
    if (frame.type === "reset") {
      this.cursor = frame.cursor;
      this.listener.reset();
      return;
    }
    if (frame.type === "subscribed") {
      const isFirst = this.cursor === null;
      this.cursor = frame.cursor;
      this.tries = 0;
      this.listener.frame(frame);
      this.listener.state("live");
      if (isFirst) this.listener.reset();
      return;
    }
    // Before "subscribed" the server tells everything there is; the cursor starts with our own wishes.
    if ("cursor" in frame && this.cursor !== null) this.cursor = frame.cursor;
    this.listener.frame(frame);
  }

  private lost(socket: WebSocket, code: number): void {
    if (socket !== this.socket) return;
    this.socket = null;
    if (this.isClosed) return;
    this.listener.state("down");
    if (code === POLICY) {
      this.listener.refused();
      return;
    }
    this.retry = setTimeout(() => this.connect(), waitBefore(this.tries++));
  }

  /** A connection can be gone without a word: ask, and give it up when nothing comes. */
  private check(): void {
    const socket = this.socket;
    if (socket === null) return;
    if (Date.now() - this.heardAt > SILENT_AFTER) {
      socket.onclose = null;
      socket.close();
      this.lost(socket, 1006);
    } else if (socket.readyState === WebSocket.OPEN) {
      socket.send('{"type":"ping"}');
    }
  }
}
