"""How an inference server is asked."""

KIND = "inference"


def route_of(interface: str) -> str:
    """The route of an interface; it is none of the service's own."""
    return f"interface/{interface}"
