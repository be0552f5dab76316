// One clock for every "4 min ago" on the page, set by the server's: a phone's may be wrong.

class PageClock {
  now = $state(Date.now());
  private ahead = 0;

  constructor() {
    setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => this.tick());
  }

  /** What the server said its time is. */
  heard(timestamp: string): void {
    const ahead = Date.parse(timestamp) - Date.now();
    // Less is the way of the answer, not a wrong clock.
    this.ahead = Math.abs(ahead) > 1500 ? ahead : 0;
    this.tick();
  }

  private tick(): void {
    if (!document.hidden) this.now = Date.now() + this.ahead;
  }
}

export const clock = new PageClock();
