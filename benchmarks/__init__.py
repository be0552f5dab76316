"""Measurements of a daemon in processes of its own: ``python -m benchmarks``. See README.md beside this file."""
