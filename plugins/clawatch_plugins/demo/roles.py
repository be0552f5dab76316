"""Who works in the demo: six types of agents for tasks, six that compete, and a judge."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Role:
    id: str
    name: str
    kind: str
    capabilities: tuple[str, ...]
    labels: dict[str, str] = field(default_factory=dict)


def _type(kind: str, description: str, capabilities: str, tools: str, models: str) -> Role:
    labels = {"description": description, "tools": tools, "ml_models": models}
    return Role(f"{kind}-001", f"{kind.capitalize()} Agent", kind, tuple(capabilities.split()), labels)


TYPES = (
    _type("commerce", "Products, orders and prices", "products orders pricing", "create_product,price_product",
          "demand_forecast"),
    _type("creative", "Images and 3D models", "images models_3d", "draw,model_3d", "shape_generator"),
    _type("marketing", "Campaigns and words", "campaigns seo", "write_post,schedule_post", "trend_finder"),
    _type("support", "Tickets and answers", "tickets answers", "answer_ticket", "intent_classifier"),
    _type("operations", "Sites and deployments", "deployment monitoring", "deploy,check_site", "anomaly_detector"),
    _type("analytics", "Reports and forecasts", "reports forecasts", "query,plot", "forecaster"),
)  # fmt: skip
ENTRANTS = tuple(
    Role(f"llm-{name}", name.capitalize(), "llm", ("entrant",), {"provider": name})
    for name in ("anthropic", "openai", "google", "meta", "mistral", "qwen")
)
JUDGE = Role("judge", "Judge", "judge", ("judge",))
