// Runs the contract's clients against a daemon, and prints what they make of it, one JSON object a line.
// Usage: node driver.mjs SCENARIO URL TOKEN. What comes on standard input is said to the scenario, line by line.

import fs from "node:fs";
import readline from "node:readline";
import vm from "node:vm";

const [scenario, url, token] = process.argv.slice(2);
const tell = (what, fields = {}) => console.log(JSON.stringify({ what, ...fields }));
const HEARTBEAT = 30000;
const elements = { "agent-count": {}, "active-agents": {} };

const world = {
    JSON, Map, Math, Array, WebSocket, token, clearInterval, clearTimeout,
    console: { log: (...words) => tell("log", { words: words.map(String) }), error: () => tell("error") },
    document: { getElementById: (id) => elements[id] },
    setInterval: (work, every) => setInterval(work, every === HEARTBEAT ? 50 : every),
    setTimeout: (work, after) => (tell("waits", { after }), setTimeout(work, after / 100)),
};
const code = fs.readFileSync(new URL("contract_clients.js", import.meta.url), "utf8")
    .replaceAll("wss://api.freeagentics.com/api/v1/ws", url);
const { WebSocketClient, AgentDashboard, AgentMonitor, validateMessage } = vm.runInNewContext(
    `${code}\n;({ WebSocketClient, AgentDashboard, AgentMonitor, validateMessage })`, world,
);

// What the text uses and does not show: sending before the connection is open, and handing messages on.
WebSocketClient.prototype.send = function (message) {
    const say = () => this.ws.send(JSON.stringify(message));
    this.ws.readyState === WebSocket.OPEN ? say() : this.ws.addEventListener("open", say);
};
const plain = WebSocketClient.prototype.handleMessage;
function listen(client, handlers) {
    client.onAgentStatus = (data) => handlers.onAgentStatus?.(data);
    client.onMetricsUpdate = (data) => handlers.onMetricsUpdate?.(data);
    client.handleMessage = function (message) {
        tell("message", { message });
        plain.call(this, message);
        handlers[message.type]?.(message.data);
    };
}

const scenarios = {
    connection() {
        const client = new WebSocketClient(url, token);
        listen(client, {});
        client.connect();
        return { close: () => client.ws.close(), leave: () => (
            (client.maxReconnectAttempts = 0),
            client.ws.send(JSON.stringify({ type: "disconnect", data: { reason: "user_initiated" } })),
            client.ws.close(1000, "Normal closure")
        ) };
    },
    refresh() {
        const client = new WebSocketClient(url, "expired");
        listen(client, { connection_error: (data) => {
            if (data.error_code === "AUTHENTICATION_FAILED") client.token = token;
        } });
        client.connect();
        return {};
    },
    async dashboard() {
        const dashboard = new AgentDashboard();
        listen(dashboard.ws, {
            onAgentStatus: (data) => {
                dashboard.onAgentStatus(data);
                tell("page", { agents: elements["agent-count"].textContent, active: elements["active-agents"].textContent });
            },
            onMetricsUpdate: (data) => ((dashboard.updateMetricsDisplay = () => tell("metrics", data)),
                dashboard.onMetricsUpdate(data)),
            ...Object.fromEntries(["agent_status", "metrics_update"].map((type) => [type, () => {}])),
        });
        const handle = dashboard.ws.handleMessage;
        dashboard.ws.handleMessage = function (message) {
            if (["agent_status", "metrics_update"].includes(message.type)) tell("valid", { is: validateMessage(message) });
            handle.call(this, message);
        };
        await dashboard.start();
        return {};
    },
    async monitor() {
        const monitor = new AgentMonitor("agent_123");
        monitor.updateInferenceList = () => tell("list", { inferences: monitor.inferences });
        monitor.updateProgressBar = (id, progress) => tell("bar", { id, progress });
        listen(monitor.ws, {
            inference_started: (data) => monitor.onInferenceStarted(data),
            inference_progress: (data) => monitor.onInferenceProgress(data),
            inference_completed: (data) => monitor.onInferenceCompleted(data),
        });
        await monitor.start();
        return {};
    },
};

const running = await scenarios[scenario]();
for await (const line of readline.createInterface({ input: process.stdin })) running[line.trim()]?.();
process.exit(0);
