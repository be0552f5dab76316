"""Connecting agents: what their settings need, and how it gets into their files without harm."""
