"""The command line. Each command's module is imported when it is called, so ``send`` never loads the daemon."""

from __future__ import annotations

from importlib import import_module

import click

from clawatch import __version__

COMMANDS = {
    "run": "clawatch.cli.daemon:run",
    "backup": "clawatch.cli.doctor:backup",
    "check-config": "clawatch.cli.configuration:check_config",
    "connect": "clawatch.cli.connect:connect",
    "doctor": "clawatch.cli.doctor:doctor",
    "import": "clawatch.cli.recordings:import_",
    "keys": "clawatch.cli.access:keys",
    "login": "clawatch.cli.access:login",
    "plugins": "clawatch.cli.configuration:plugins",
    "replay": "clawatch.cli.replay:replay",
    "send": "clawatch.cli.agents:send",
    "status": "clawatch.cli.status:status",
    "test-rules": "clawatch.cli.rules:test_rules",
    "wrap": "clawatch.cli.agents:wrap",
}
"""Where each command is; plugins add theirs behind these."""


class Commands(click.Group):
    """Our own commands by name, then those of plugins, which are only loaded when they have to be."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugin_commands().keys() - COMMANDS.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _plugin_commands().get(cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


def _plugin_commands() -> dict[str, click.Command]:
    """Commands of the plugins that the configuration allows; none while it cannot be read."""
    from clawatch.config import ConfigError, find_config, load_plugins

    try:
        registry = load_plugins(find_config())
    except ConfigError:
        return {}
    return {name: provided.part for name, provided in registry.commands.items()}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clawatch")
def main() -> None:
    """A watchdog for the AI agents you run yourself."""
