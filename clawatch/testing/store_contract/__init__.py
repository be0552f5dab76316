"""The contract of ``StorePort`` as tests. A store passes when a subclass with a ``store`` fixture does.

::

    class TestMyStore(StoreContract):
        @pytest.fixture
        async def store(self, tmp_path):
            async with open_my_store(...) as store:
                yield store

Needs pytest with pytest-asyncio in auto mode, and hypothesis.
"""

from __future__ import annotations

from clawatch.testing.store_contract.access import AccessContract
from clawatch.testing.store_contract.asking import AskingContract
from clawatch.testing.store_contract.counting import CountingContract
from clawatch.testing.store_contract.figures import FiguresContract
from clawatch.testing.store_contract.journal import JournalContract
from clawatch.testing.store_contract.outbox import OutboxContract
from clawatch.testing.store_contract.reports import ReportsContract
from clawatch.testing.store_contract.sums import SumsContract
from clawatch.testing.store_contract.upkeep import UpkeepContract


class StoreContract(
    JournalContract,
    ReportsContract,
    CountingContract,
    SumsContract,
    FiguresContract,
    AskingContract,
    OutboxContract,
    AccessContract,
    UpkeepContract,
):
    """Everything a store must do."""


__all__ = ["StoreContract"]
