"""ClaWatch: a watchdog for the AI agents you run yourself."""

__version__ = "0.1.0"
