// The clients that the contract's own text shows, word for word. driver.mjs adds what they leave to their readers.

class WebSocketClient {
    constructor(url, token) {
        this.url = url;
        this.token = token;
        this.reconnectAttempts = 0;
        this.maxReconnectAttempts = 5;
        this.reconnectDelay = 1000;
    }

    connect() {
        this.ws = new WebSocket(`${this.url}?token=${this.token}`);

        this.ws.onopen = () => {
            console.log('Connected');
            this.reconnectAttempts = 0;
            this.startHeartbeat();
        };

        this.ws.onclose = (event) => {
            console.log('Disconnected:', event.code, event.reason);
            this.stopHeartbeat();

            if (this.reconnectAttempts < this.maxReconnectAttempts) {
                this.scheduleReconnect();
            }
        };

        this.ws.onerror = (error) => {
            console.error('WebSocket error:', error);
        };

        this.ws.onmessage = (event) => {
            this.handleMessage(JSON.parse(event.data));
        };
    }

    scheduleReconnect() {
        const delay = this.reconnectDelay * Math.pow(2, this.reconnectAttempts);
        this.reconnectAttempts++;

        setTimeout(() => {
            console.log(`Reconnecting (attempt ${this.reconnectAttempts})...`);
            this.connect();
        }, delay);
    }

    startHeartbeat() {
        this.heartbeatInterval = setInterval(() => {
            if (this.ws.readyState === WebSocket.OPEN) {
                this.ws.send(JSON.stringify({ type: 'ping' }));
            }
        }, 30000); // 30 seconds
    }

    stopHeartbeat() {
        if (this.heartbeatInterval) {
            clearInterval(this.heartbeatInterval);
        }
    }

    handleMessage(message) {
        switch (message.type) {
            case 'pong':
                console.log('Heartbeat received');
                break;
            case 'agent_status':
                this.onAgentStatus(message.data);
                break;
            case 'metrics_update':
                this.onMetricsUpdate(message.data);
                break;
            // Handle other message types
        }
    }
}

function validateMessage(message) {
    if (!message.type || !message.timestamp) {
        throw new Error('Invalid message format');
    }

    // Validate message type
    const validTypes = ['agent_status', 'metrics_update', 'system_alert'];
    if (!validTypes.includes(message.type)) {
        throw new Error('Unknown message type');
    }

    return true;
}

class AgentDashboard {
    constructor() {
        this.ws = new WebSocketClient('wss://api.freeagentics.com/api/v1/ws', token);
        this.agents = new Map();
        this.metrics = {};
    }

    async start() {
        await this.ws.connect();

        // Subscribe to all relevant events
        this.ws.send({
            type: 'subscribe',
            data: {
                events: ['agent_status', 'metrics_update', 'inference_completed'],
                agents: [] // All agents
            }
        });
    }

    onAgentStatus(data) {
        this.agents.set(data.agent_id, {
            ...this.agents.get(data.agent_id),
            status: data.new_status,
            last_update: data.timestamp
        });

        this.updateUI();
    }

    onMetricsUpdate(data) {
        this.metrics = data;
        this.updateMetricsDisplay();
    }

    updateUI() {
        // Update dashboard interface
        document.getElementById('agent-count').textContent = this.agents.size;
        document.getElementById('active-agents').textContent =
            Array.from(this.agents.values()).filter(a => a.status === 'active').length;
    }
}

class AgentMonitor {
    constructor(agentId) {
        this.agentId = agentId;
        this.ws = new WebSocketClient('wss://api.freeagentics.com/api/v1/ws', token);
        this.inferences = [];
    }

    async start() {
        await this.ws.connect();

        // Subscribe to specific agent events
        this.ws.send({
            type: 'subscribe',
            data: {
                events: ['inference_started', 'inference_progress', 'inference_completed'],
                agents: [this.agentId]
            }
        });
    }

    onInferenceStarted(data) {
        this.inferences.push({
            id: data.inference_id,
            status: 'running',
            started: data.timestamp,
            progress: 0
        });

        this.updateInferenceList();
    }

    onInferenceProgress(data) {
        const inference = this.inferences.find(i => i.id === data.inference_id);
        if (inference) {
            inference.progress = data.progress;
            this.updateProgressBar(data.inference_id, data.progress);
        }
    }

    onInferenceCompleted(data) {
        const inference = this.inferences.find(i => i.id === data.inference_id);
        if (inference) {
            inference.status = 'completed';
            inference.completed = data.timestamp;
            inference.processing_time = data.processing_time;
        }

        this.updateInferenceList();
    }
}
