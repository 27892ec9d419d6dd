"""The state: what took place since the last checkpoint, laid over what it wrote."""

from typing import final

from router.queue._base import Base

__all__ = ["State"]

@final
class State:
    """The layers of one store; see the module's words."""

    def __new__(cls, base: Base) -> State: ...
