// How to connect, ready to paste. `key` is one of ours: letters, digits, - and _ only.

export interface Snippet {
  name: string;
  note: string;
  text: string;
}

export function snippets(url: string, key: string): Snippet[] {
  return [
    { name: "curl", note: "In any terminal; the agent appears at once.", text: curl(url, key) },
    { name: "Claude Code", note: "Writes its hooks and telemetry into ~/.claude/settings.json, keeping what is there; new sessions appear by themselves.", text: connect("claude-code", url, key, "--write") },
    { name: "OpenClaw", note: "Shows the one line for ClaWatch's own configuration; where OpenClaw runs on another machine, what to add there.", text: connect("openclaw", url, key) },
    { name: "Others", note: "Codex, Gemini CLI, opencode, pi: says which agents it knows, and connects the one you name.", text: `clawatch connect\n${connect("codex", url, key, "--write")}` },
    { name: "Any command", note: "Watches the command's life and output, and can really hold it.", text: wrap(url, key) },
    { name: "Python", note: "Standard library only; never raises into your agent.", text: python(url, key) },
  ];
}

const connect = (agent: string, url: string, key: string, ...more: string[]) =>
  [`clawatch connect ${agent}`, `--url ${url}`, `--key ${key}`, ...more].join(" \\\n  ");

function curl(url: string, key: string): string {
  return `curl -H 'X-ClaWatch-Key: ${key}' -H 'Content-Type: application/json' \\
  -d '{"agentId": "first-agent", "type": "heartbeat"}' \\
  ${url}/api/events`;
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
