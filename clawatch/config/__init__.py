"""Configuration: one YAML file, read raw, then validated whole with the models of the core and of the plugins."""

from clawatch.config.effective import Config, reloadable
from clawatch.config.loading import Loaded, find_config, load, load_plugins
from clawatch.config.overrides import RuleBook
from clawatch.config.parts import Part
from clawatch.config.problems import ConfigError, Problem

__all__ = [
    "Config", "ConfigError", "Loaded", "Part", "Problem", "RuleBook", "find_config", "load", "load_plugins",
    "reloadable",
]
