"""Whether a server answers."""

import httpx2 as httpx


def answers(client: httpx.Client, path: str) -> bool:
    """Return whether the path is answered with status 200."""
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False
