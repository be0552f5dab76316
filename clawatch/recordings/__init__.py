"""Recordings at work: who may write and read them, and the way of their lines into blocks and back."""

from clawatch.recordings.service import Recordings

__all__ = ["Recordings"]
