// Addresses and the pages they name.

export type Page = "fleet" | "agent" | "alerts" | "alert" | "costs" | "system" | "missing";

export interface Place {
  page: Page;
  /** The agent's or alert's id. */
  id: string;
}

const PLAIN: Record<string, Page> = { "/": "fleet", "/alerts": "alerts", "/costs": "costs", "/system": "system" };
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
