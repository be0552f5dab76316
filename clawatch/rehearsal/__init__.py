"""Rehearsals: the rules of a configuration over a past, recorded or made up, on a clock of its own."""

from clawatch.rehearsal.running import Episode, Rehearsal, rehearsing

__all__ = ["Episode", "Rehearsal", "rehearsing"]
