// What the API says, as far as this page reads it; the whole of it is in /api/openapi.json.

export interface CommandBrief {
  id: string;
  type: string;
  state: string;
  since: string;
  words: string;
}

export interface Agent {
  id: string;
  name: string;
  host: string;
  status: "running" | "paused" | "stopped" | "error" | "stuck";
  createdAt: string;
  costUsd: number;
  tokenCount: number;
  errorCount: number;
  kind: string;
  group: string;
  labels: Record<string, string>;
  owner: string;
  activity: string;
  lastSeen: string | null;
  lastProgress: string | null;
  turn: string;
  doing: string;
  toolCalls: number;
  unpricedTokens: number;
  control: { kind: string; described: string; wanted: string; command: CommandBrief | null };
}

export interface AgentEvent {
  seq: number;
  id: string | null;
  agentId: string;
  sessionId: string | null;
  callId: string | null;
  phase: string;
  signal: string;
  origin: string;
  source: string;
  type: string;
  timestamp: string;
  receivedAt: string;
  /** Where it left the agent that works in turns: open, waiting or closed; null where it says nothing of that. */
  turn: string | null;
  data: Record<string, unknown>;
}

export interface Alert {
  id: string;
  agentId: string;
  type: string;
  severity: "info" | "warning" | "critical";
  message: string;
  timestamp: string;
  acknowledged: boolean;
  state: string;
  rule: string;
  subject: string;
  startedAt: string;
  firedAt: string | null;
  resolvedAt: string | null;
  acknowledgedBy: string | null;
  acknowledgedAt: string | null;
  silencedUntil: string | null;
  brake: string | null;
  evidence?: Record<string, unknown>;
}

export interface Command {
  id: string;
  agentId: string;
  type: string;
  state: string;
  since: string;
  words: string;
  controlKind: string;
  requestedBy: string;
  requestedAt: string;
  deliveredAt: string | null;
  message: string;
  alertId: string | null;
}

export interface Run {
  id: string;
  /** Empty while nobody has taken it, and for what ClaWatch itself runs. */
  agentId: string;
  kind: string;
  status: "pending" | "running" | "completed" | "failed" | "cancelled";
  stage: string;
  progress: number;
  input: unknown;
  result: unknown;
  error: string | null;
  parentRunId: string | null;
  createdAt: string;
  updatedAt: string;
  startedAt: string | null;
  endedAt: string | null;
  requestedBy: string;
}

export interface RunPage {
  runs: Run[];
  next: string | null;
}

export interface Recording {
  id: string;
  node_id: string;
  run_id: string;
  source: string;
  owner: string;
  complete: boolean;
  total_ticks: number;
  agent_count: number;
  event_count: number;
  size_bytes: number;
  created_at: string;
  completed_at: string | null;
  started_at: string | null;
  ended_at: string | null;
}

export interface Telemetry {
  node_id: string;
  run_id: string;
  total_ticks: number;
  keyframe_ticks: number[];
  agent_count: number;
  event_count: number;
  metrics_available: string[];
  segments: string[];
  regions: string[];
  file_size_bytes: number;
  storage_ref: string;
  created_at: string;
}

export type Parted = Record<string, Record<string, number | null>>;

export interface Slice {
  data: ({ tick: number; by_segment?: Parted; by_region?: Parted } & Record<string, unknown>)[];
}

export interface Keyframe {
  tick: number;
  timestamp: string | null;
  world_state: Record<string, unknown>;
  agent_summary: { total: number; active: number; decided: number; undecided: number };
  top_events: { tick: number; type: string; impact: number | null }[];
}

export interface RecordedEvent {
  id: string;
  tick: number;
  type: string;
  source: string | null;
  description: string | null;
  affected_agents: number | null;
  variable_changes: Record<string, unknown>;
  impact_score: number | null;
}

export interface Trajectory {
  agent_id: string;
  persona_name: string | null;
  segment: string | null;
  region: string | null;
  initial_state: Record<string, unknown>;
  trajectory: { tick: number; state: Record<string, unknown>; action: string | null; reasoning?: string | null }[];
  final_decision: string | null;
  decision_tick: number | null;
  key_influences: { type: string; impact: number }[];
}

export interface Silence {
  id: string;
  agent: string;
  rule: string;
  severity: string;
  alertId: string | null;
  reason: string;
  by: string;
  createdAt: string;
  expiresAt: string;
}

export interface Cost {
  costUsd: number;
  tokenCount: number;
  unpricedTokens: number;
}

export interface CostReport {
  totalUsd: number;
  tokenCount: number;
  unpricedTokens: number;
  byAgent: (Cost & { agentId: string; name: string })[];
  byModel: (Cost & { model: string })[];
  resolution: string;
}

export interface CostPoint extends Cost {
  timestamp: string;
  group: string;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  events: number;
  errors: number;
  toolCalls: number;
}

export interface CostSeries {
  by: string;
  from: string;
  to: string;
  stepSeconds: number;
  points: CostPoint[];
}

export interface Key {
  name: string;
  scopes: string[];
  agents: string[];
  user: string;
  createdAt: string | null;
  expiresAt: string | null;
  fixed: boolean;
}

export interface RuleSettings {
  enabled?: boolean;
  limits?: { per: string; usd: number; scope: string }[];
}

export interface Rules {
  rules: Record<string, RuleSettings>;
  /** By agent, the rules that hold otherwise for it. */
  agents: Record<string, Record<string, RuleSettings>>;
}

export interface LatencySeries {
  points: { timestamp: string; p50: number; p95: number; p99: number; count: number }[];
  step: number;
}

export interface System {
  status: string;
  version: string;
  startedAt: string;
  timestamp: string;
  store: { ok: boolean; detail: string; sizeBytes: number };
  outbox: number;
  journalHead: number;
  rulesBehind: number;
  cursor: string;
  agents: number;
  parts: { section: string; name: string; state: string; detail: string }[];
}

export type Frame =
  | { type: "agent"; cursor: string; timestamp: string; data: Agent | { id: string; deleted: true } }
  | { type: "event"; cursor: string; timestamp: string; data: AgentEvent }
  | { type: "alert"; cursor: string; timestamp: string; data: Alert }
  | { type: "command"; cursor: string; timestamp: string; data: Command }
  | { type: "run"; cursor: string; timestamp: string; data: Run }
  | { type: "subscribed" | "reset"; cursor: string; timestamp: string }
  | { type: "pong"; timestamp: string }
  | { type: "error"; error?: string };
