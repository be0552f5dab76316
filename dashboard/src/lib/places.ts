// Addresses and the pages they name.

export type Page = "fleet" | "agent" | "alerts" | "alert" | "runs" | "run" | "recordings" | "replay" | "costs" | "system" | "missing";

export interface Place {
  page: Page;
  /** The agent's, alert's, run's or node's id. */
  id: string;
  /** Whose: of a run, as agents have ids of their own, and of a list of runs. */
  agent: string;
}

const PLAIN: Record<string, Page> = {
  "/": "fleet", "/alerts": "alerts", "/runs": "runs", "/recordings": "recordings", "/costs": "costs", "/system": "system",
};
const WITH_ID: [string, Page][] = [
  ["/agents/", "agent"], ["/alerts/", "alert"], ["/runs/", "run"], ["/recordings/", "replay"],
];

export function placeOf(path: string, search = ""): Place {
  const agent = new URLSearchParams(search).get("agent") ?? "";
  const plain = PLAIN[path.length > 1 ? path.replace(/\/$/, "") : path];
  if (plain) return { page: plain, id: "", agent };
  for (const [prefix, page] of WITH_ID) {
    if (path.startsWith(prefix)) return { page, id: decoded(path.slice(prefix.length)), agent };
  }
  return { page: "missing", id: "", agent };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const whose = (agentId: string) => (agentId ? `?agent=${encodeURIComponent(agentId)}` : "");

export const agentHref = (id: string) => `/agents/${encodeURIComponent(id)}`;
export const alertHref = (id: string) => `/alerts/${encodeURIComponent(id)}`;
export const runHref = (id: string, agentId: string) => `/runs/${encodeURIComponent(id)}${whose(agentId)}`;
export const runsHref = (agentId: string) => `/runs${whose(agentId)}`;
export const replayHref = (node: string) => `/recordings/${encodeURIComponent(node)}`;
