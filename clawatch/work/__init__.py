"""Work that people ask of agents: given out, followed to its end, and kept over a restart. ``app.py`` uses ``Work``."""

from clawatch.work.desk import Work

__all__ = ["Work"]
