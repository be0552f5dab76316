// Runs the contract's client against a daemon, and prints what it shows, one JSON array a line.
// Usage: node driver.mjs URL TOKEN. Half a minute passes in 50 ms.

import fs from "node:fs";
import vm from "node:vm";

const [url, token] = process.argv.slice(2);
let opened = false;
const tell = (...words) => console.log(JSON.stringify(words));

class Listening extends WebSocket {
    constructor(...where) {
        super(...where);
        this.addEventListener("open", () => { opened = true; });
        this.addEventListener("message", ({ data }) => JSON.parse(data).type === "pong" && tell("pong"));
        this.addEventListener("close", ({ code }) => { tell("closed", code); process.exit(); });
    }
}

const code = fs.readFileSync(new URL("contract_client.js", import.meta.url), "utf8")
    .replace("wss://api.clawdnet.xyz/telemetry", url).replace("your-api-key", token);
vm.runInNewContext(code, {
    JSON, WebSocket: Listening,
    console: { log: tell },
    updateDashboard: (agent, data) => tell("dashboard", agent, data),
    updateStatus: (agent, status) => tell("status", agent, status),
    showAlert: (agent, data) => tell("alert", agent ?? null, data.message),
    // Half a minute is long enough for any connection to be open; 50 ms are not.
    setInterval: (work, every) => setInterval(() => opened && work(), every === 30000 ? 50 : every),
});
