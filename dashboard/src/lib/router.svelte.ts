// Which page the address names. Links are plain links; this only spares them the round trip.

import { placeOf, type Place } from "./places";

export { agentHref, alertHref, replayHref, runHref, runsHref, type Page } from "./places";

class Router {
  place: Place = $state.raw({ page: "fleet", id: "", agent: "" });

  start(): void {
    this.read();
    addEventListener("popstate", () => this.read());
    document.addEventListener("click", (event) => this.follow(event));
  }

  go(path: string): void {
    history.pushState(null, "", path);
    this.read();
    scrollTo(0, 0);
  }

  replace(path: string): void {
    history.replaceState(null, "", path);
    this.read();
  }

  private read(): void {
    this.place = placeOf(location.pathname, location.search);
  }

  private follow(event: MouseEvent): void {
    const link = (event.target as Element).closest?.("a");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.download) return;
    if (link.origin !== location.origin || placeOf(link.pathname).page === "missing") return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
