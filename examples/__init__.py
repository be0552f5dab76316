"""Agents that ClaWatch sees, one file each. Run from the repository: ``python -m examples.plain``."""
