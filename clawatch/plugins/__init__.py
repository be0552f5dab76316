"""Plugins: found, loaded one by one and asked once what they contribute."""

from clawatch.plugins.collecting import collect
from clawatch.plugins.registry import PluginReport, PluginState, Provided, Registry

__all__ = ["PluginReport", "PluginState", "Provided", "Registry", "collect"]
