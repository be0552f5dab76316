// How to connect, ready to paste. `key` is one of ours: letters, digits, - and _ only.

export interface Snippet {
  name: string;
  note: string;
  text: string;
}

const HOOKS = ["UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Notification", "Stop", "StopFailure", "SessionEnd"];

export function snippets(url: string, key: string): Snippet[] {
  return [
    { name: "curl", note: "In any terminal; the agent appears at once.", text: curl(url, key) },
    { name: "Claude Code", note: "Into ~/.claude/settings.json; new sessions appear by themselves.", text: claudeCode(url, key) },
    { name: "Any command", note: "Watches the command's life and output, and can really hold it.", text: wrap(url, key) },
    { name: "Python", note: "Standard library only; never raises into your agent.", text: python(url, key) },
  ];
}

function curl(url: string, key: string): string {
  return `curl -H 'X-ClaWatch-Key: ${key}' -H 'Content-Type: application/json' \\
  -d '{"agentId": "first-agent", "type": "heartbeat"}' \\
  ${url}/api/events`;
}

function claudeCode(url: string, key: string): string {
  const hook = [{
    matcher: "",
    hooks: [{ type: "http", url: `${url}/hooks/claude-code`, timeout: 5, headers: { "X-ClaWatch-Key": key } }],
  }];
  const settings = {
    env: {
      CLAUDE_CODE_ENABLE_TELEMETRY: "1",
      OTEL_LOGS_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_HEADERS: `X-ClaWatch-Key=${key}`,
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "cumulative",
    },
    hooks: Object.fromEntries(HOOKS.map((name) => [name, hook])),
  };
  return JSON.stringify(settings, null, 2);
}

function wrap(url: string, key: string): string {
  return `export CLAWATCH_URL=${url} CLAWATCH_KEY=${key}
clawatch wrap --agent nightly -- python train.py`;
}

function python(url: string, key: string): string {
  return `# export CLAWATCH_URL=${url} CLAWATCH_KEY=${key}
from clawatch.client import Client

with Client("nightly") as agent:
    agent.tool_call("search", arguments={"q": "weather"}, duration_ms=120)
    agent.cost(usd=0.004, model="claude-opus-4-5", input_tokens=1200, output_tokens=80)
    while agent.wait_if_paused():  # blocks while paused; False: asked to stop
        work()`;
}
