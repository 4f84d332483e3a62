"""The event that an admin emits to test the delivery of emails."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.auth.events import AccountEvent
from server.events.catalog import EventType


@dataclass(frozen=True, slots=True)
class AdminTestEvent(AccountEvent):
    """A test event; whatever event type it names, its email is sent to the admin who emitted it only."""

    type = EventType.TEST
    named: str
    data: Mapping[str, str]

    @property
    def payload(self) -> Mapping[str, object]:
        """The event type and the data that the admin entered, as JSON."""
        return {"eventType": self.named, "data": dict(self.data)}
