// The public API, asked with the login cookie. Nothing here knows a path that others could not use.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const AFTER_LOGIN = "clawatch.after-login";
const LOGIN_LINK_LIFE = 15 * 60_000;

/** Logging in leads to the start page; this remembers where somebody wanted to go, for as long as a link lives. */
export function goToLogin(): void {
  const wanted = location.pathname + location.search;
  if (wanted !== "/") localStorage.setItem(AFTER_LOGIN, JSON.stringify([wanted, Date.now()]));
  location.replace("/login");
}

/** Where to go after a login, once; null when nothing was asked for of late. */
export function wantedBeforeLogin(now = Date.now()): string | null {
  const kept = localStorage.getItem(AFTER_LOGIN);
  localStorage.removeItem(AFTER_LOGIN);
  if (kept === null) return null;
  try {
    const [path, at] = JSON.parse(kept) as [string, number];
    // A path of ours: "//host" would be another's.
    return /^\/(?!\/)/.test(path) && now - at < LOGIN_LINK_LIFE ? path : null;
  } catch {
    return null;
  }
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      ...(body === undefined
        ? {}
        : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, "ClaWatch does not answer");
  }
  if (answer.status === 401) {
    goToLogin();
    throw new ApiError(401, "You are not logged in");
  }
  const told: unknown = await answer.json().catch(() => null);
  if (!answer.ok) {
    const { error, detail } = (told ?? {}) as { error?: unknown; detail?: unknown };
    throw new ApiError(answer.status, typeof error === "string" ? error : typeof detail === "string" ? detail : `ClaWatch answered ${answer.status}`);
  }
  return told as T;
}

export const get = <T>(path: string) => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown) => ask<T>("POST", path, body);
export const remove = <T>(path: string) => ask<T>("DELETE", path);

/** A path with its parameters; those without a value are left out. */
export function query(path: string, params: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  return given.length ? `${path}?${search}` : path;
}

export const agentPath = (id: string) => `/api/agents/${encodeURIComponent(id)}`;
export const alertPath = (id: string) => `/api/alerts/${encodeURIComponent(id)}`;

export const runPath = (id: string) => `/api/runs/${encodeURIComponent(id)}`;

export const telemetryPath = (node: string) => `/api/v1/telemetry/${encodeURIComponent(node)}`;

export const say = (error: unknown) => (error instanceof Error ? error.message : String(error));
