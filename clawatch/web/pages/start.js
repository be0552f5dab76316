"use strict";

const EVERY_MS = 5000;
const [, kind, id] = location.pathname.split("/");
const at = (name) => document.getElementById(name);

/** A row of texts. Everything an agent says goes in as text, never as markup. */
function row(mark, ...words) {
  const item = document.createElement("li");
  words.forEach((text, index) => {
    const part = document.createElement(index === 0 ? "b" : "span");
    part.textContent = text;
    if (index === 1) part.className = mark;
    item.append(part);
  });
  return item;
}

function ago(instant) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(instant)) / 1000));
  if (!Number.isFinite(seconds)) return "";
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([least]) => seconds >= least) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

const when = (instant) => instant && new Date(instant).toLocaleString();
const usd = (amount) => `$${amount.toFixed(amount && amount < 0.1 ? 4 : 2)}`;
const agentRow = (one) => row(one.status, one.name, one.status, `${usd(one.costUsd)}, ${ago(one.lastHeartbeat)}`);
const alertRow = (one) => row(one.severity, one.agentId, one.message, ago(one.startedAt));

function fill(list, rows, otherwise) {
  at(list).replaceChildren(...(rows.length ? rows : [row("", otherwise)]));
}

async function get(path) {
  const answer = await fetch(path);
  return { status: answer.status, body: await answer.json() };
}

/** What a link in a message leads to: /alerts/ID or /agents/ID. */
async function showOne() {
  if (!id) return;
  const { status, body } = await get(`/api/${kind}/${id}`);
  at("one").hidden = false;
  if (status !== 200) {
    at("title").textContent = body.error;
    return;
  }
  at("title").textContent = kind === "alerts" ? body.message : body.name;
  const facts = kind === "alerts"
    ? { state: body.state, severity: body.severity, agent: body.agentId, rule: body.rule, since: when(body.startedAt),
        resolved: when(body.resolvedAt), "acknowledged by": body.acknowledgedBy,
        "silenced until": when(body.silencedUntil) }
    : { id: body.id, status: body.status, "last sign of life": when(body.lastHeartbeat), cost: usd(body.costUsd),
        tokens: body.tokenCount.toLocaleString(), errors: body.errorCount, control: body.control.described };
  fill("facts", Object.entries(facts).filter(([, value]) => value !== null && value !== "").map(
    ([name, value]) => row("", name, String(value))), "");
}

async function show() {
  const agents = await get("/api/agents");
  const isIn = agents.status === 200;
  at("locked").hidden = agents.status !== 401;
  at("open").hidden = at("leave").hidden = !isIn;
  if (isIn) {
    const alerts = await get("/api/alerts?state=firing");
    fill("alerts", alerts.body.alerts.map(alertRow), "None.");
    fill("agents", agents.body.agents.map(agentRow), "None yet.");
    await showOne();
  }
  const { body } = await get("/health");
  at("health").textContent = `${body.version}: ${body.status}`;
  at("health").className = body.status;
  return isIn;
}

async function keepShowing() {
  let goesOn = true;
  if (!document.hidden) {
    goesOn = await show().catch(() => {
      at("health").textContent = "does not answer";
      at("health").className = "error";
      return true;
    });
  }
  if (goesOn) setTimeout(keepShowing, EVERY_MS);
}

at("leave").addEventListener("click", async () => {
  await fetch("/api/auth/logout", { method: "POST" });
  location.assign("/");
});
for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;
keepShowing();
