// Connects as a dashboard does: onopen, onmessage, onclose, and again after a while when it was cut off.
const base = process.argv[2];
let connections = 0;

function connect(channel, heard, closed) {
  const ws = new WebSocket(`${base}/api/ws/${channel}`);
  ws.onopen = () => {
    connections++;
    ws.send(JSON.stringify({ type: 'ping' }));
  };
  ws.onmessage = (event) => heard(JSON.parse(event.data), ws);
  ws.onclose = (event) => closed(event);
  return ws;
}

function reconnecting(channel, heard) {
  let retries = 0;
  const again = () => connect(channel, heard, () => {
    retries++;
    setTimeout(again, Math.min(50 * 2 ** retries, 1000));
  });
  again();
}

reconnecting('agents', (message, ws) => {
  if (message.type === 'pong' && connections === 1) console.log('pong agents');
  if (message.type === 'pong' && connections === 2) {
    console.log('connected again');
    connect('no_such_channel', () => {}, (event) => {
      console.log(`closed with ${event.code}`);
      process.exit(0);
    });
  }
  if (message.type === 'agent_status_update') {
    console.log(`agent_status_update ${message.agent_id} ${message.status}`);
    ws.close();
  }
});
