"""The event that an admin sends to try the emails."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.auth.events import AccountEvent
from server.events.catalog import EventType


@dataclass(frozen=True, slots=True)
class AdminTestEvent(AccountEvent):
    """An admin tries the machinery; whatever event is named, it goes to that admin and to nobody else."""

    type = EventType.TEST
    named: str
    data: Mapping[str, str]

    @property
    def payload(self) -> Mapping[str, object]:
        """What the admin gave."""
        return {"eventType": self.named, "data": dict(self.data)}
