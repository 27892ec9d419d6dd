"""Reading single records of the log beside its writer."""

__all__: list[str] = []
