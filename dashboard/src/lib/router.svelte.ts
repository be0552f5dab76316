// Which page the address names. Links are plain links; this only spares them the round trip.

export type Page = "fleet" | "agent" | "alerts" | "alert" | "costs" | "system" | "missing";

export interface Place {
  page: Page;
  /** The agent's or alert's id. */
  id: string;
}

const PLAIN: Record<string, Page> = { "/": "fleet", "/alerts": "alerts" };
const WITH_ID: [string, Page][] = [["/agents/", "agent"], ["/alerts/", "alert"]];

export function placeOf(path: string): Place {
  const plain = PLAIN[path.length > 1 ? path.replace(/\/$/, "") : path];
  if (plain) return { page: plain, id: "" };
  for (const [prefix, page] of WITH_ID) {
    if (path.startsWith(prefix)) return { page, id: decoded(path.slice(prefix.length)) };
  }
  return { page: "missing", id: "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const agentHref = (id: string) => `/agents/${encodeURIComponent(id)}`;
export const alertHref = (id: string) => `/alerts/${encodeURIComponent(id)}`;

class Router {
  place: Place = $state.raw({ page: "fleet", id: "" });

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
    this.place = placeOf(location.pathname);
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
