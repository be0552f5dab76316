"""Following files that agents write: transcripts, rollouts, session files. Public; a source needs only this.

::

    class Transcript:                      # one for each file, see ``Reader``
        def __init__(self, path: str, note: str) -> None: ...
        def read(self, line: Line) -> Iterable[Event]: ...
        @property
        def note(self) -> str: ...         # what another one needs to go on from here

    @asynccontextmanager
    async def open_source(settings, core):
        folder = Folder(Path("~/.agent/sessions").expanduser(), ["**/*.jsonl"])
        async with follow(core, Followed("agent", folder, Transcript, wants=(b'"usage"',), since=settings.since)):
            yield

Positions are durable and written after the events that they cover, so nothing is lost; events carry ids, so nothing
counts twice. What stands in the files at the first start is history.
"""

from clawatch.apis.tailing.folder import Folder, Seen
from clawatch.apis.tailing.following import Batch, Followed, Reader, Tail
from clawatch.apis.tailing.reading import LONGEST, Line
from clawatch.apis.tailing.running import Following, follow

__all__ = ["LONGEST", "Batch", "Folder", "Followed", "Following", "Line", "Reader", "Seen", "Tail", "follow"]
