"""A TCP port of loopback for a server that a test starts, and perhaps starts again."""

import random
import socket

# Below the range that the kernel hands out to clients, so that nobody takes it between two starts.
_RANGE = range(20_000, 32_000)


def free_port() -> int:
    while True:
        port = random.choice(_RANGE)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
