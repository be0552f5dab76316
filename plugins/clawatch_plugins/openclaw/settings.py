"""What can be set of an OpenClaw that is watched."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from yarl import URL

from clawatch.domain.remarks import Remark
from clawatch.domain.time import DAY, SECOND, Millis
from clawatch.settings import Duration, Settings, Surroundings
from clawatch_plugins.openclaw.identity import SOURCE
from clawatch_plugins.openclaw.places import GatewayConfig, Home, gateway_config, here, homes

AUTO = "auto"


class OpenClawSettings(Settings):
    name: str = Field(default=SOURCE, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")
    """What its agents' ids begin with; another one for each OpenClaw that is watched."""
    state_dir: Path | None = None
    """OpenClaw's state directory; where None, the ones below the home. A remote gateway has none: see ``files``."""
    files: bool = True
    """Whether transcripts and the audit ledger are read from the disk."""
    since: Duration = 7 * DAY
    """How much history is read at the first start."""
    gateway: str = AUTO
    """``auto``: on this machine, at the port its configuration names; a ws:// or wss:// URL; empty: none."""
    token: SecretStr = SecretStr("")
    """The gateway's; where empty, from its configuration or $OPENCLAW_GATEWAY_TOKEN."""
    poll: Duration = SECOND // 2
    """How often files are looked at."""
    proof_within: Duration = 5 * SECOND
    """How long each step of a stop may take to show its effect before the next is tried."""
    keep_text: bool = False
    """Keep what people and schedules ask, not only how long it is."""

    @field_validator("gateway")
    @classmethod
    def _is_a_url(cls, gateway: str) -> str:
        gateway = gateway.strip()
        if gateway in ("", AUTO):
            return gateway
        if not gateway.startswith(("ws://", "wss://")) or not URL(gateway).host:
            raise ValueError(f"is no gateway; write {AUTO}, ws://host:port, wss://host, or nothing for none")
        return gateway

    @field_validator("poll", "proof_within")
    @classmethod
    def _is_long_enough(cls, duration: Millis) -> Millis:
        if duration < SECOND // 20:
            raise ValueError("is too short; write 50ms or more")
        return duration

    @property
    def marks(self) -> str:
        """The name of its marks."""
        return f"{SOURCE}:{self.name}"

    def homes(self) -> list[Home]:
        """What is to be read on this machine."""
        if not self.files:
            return []
        if self.state_dir is not None:
            return [Home(self.name, self.state_dir.expanduser())]
        return homes(self.name, Path.home(), here())

    def gateway_url(self) -> str:
        """Empty when there is none to speak to."""
        if self.gateway != AUTO:
            return self.gateway
        return f"ws://127.0.0.1:{self._config.port}" if self.homes() else ""

    def gateway_token(self) -> str:
        return self.token.get_secret_value() or self._config.token

    @property
    def _config(self) -> GatewayConfig:
        """Of the first home: the others' gateways are sources of their own."""
        first = next(iter(self.homes()), None)
        return GatewayConfig() if first is None else gateway_config(first.path, here())

    async def examine(self, surroundings: Surroundings) -> list[Remark]:
        from clawatch_plugins.openclaw.examining import examine

        return await examine(self, surroundings)
