"""Following files that agents write: transcripts, rollouts, session files. Public; a source needs only this.

::

    class Transcript:                      # one for each file, see ``Reader``
        def __init__(self, path: str, note: str) -> None: ...
        def read(self, line: Line) -> Iterable[Event]: ...
        @property
        def note(self) -> str: ...         # what another one needs to go on from here

    class AgentFiles(FilesSettings):
        usual = ("~/.agent/sessions",)

    @asynccontextmanager
    async def open_source(settings, core):
        followed = settings.followed("agent", Transcript, wants=(b'"usage"',))
        async with follow(core, *followed) as source:
            yield source

Positions are durable and written after the events that they cover, so nothing is lost; events carry ids, so nothing
counts twice. What stands in the files at the first start is history.
"""

from clawatch.apis.tailing.files import Batch, Followed, Reader
from clawatch.apis.tailing.folder import Folder, Seen
from clawatch.apis.tailing.following import Tail
from clawatch.apis.tailing.reading import LONGEST, Line
from clawatch.apis.tailing.running import Following, Followings, follow
from clawatch.apis.tailing.settings import FilesSettings

__all__ = [
    "LONGEST",
    "Batch",
    "FilesSettings",
    "Folder",
    "Followed",
    "Following",
    "Followings",
    "Line",
    "Reader",
    "Seen",
    "Tail",
    "follow",
]
