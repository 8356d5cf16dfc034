"""A free TCP port of loopback for a server that a test starts and may start again."""

import random
import socket

# Below the range from which the kernel gives ports to clients, so that no client takes it between two starts.
_RANGE = range(20_000, 32_000)


def free_port() -> int:
    while True:
        port = random.choice(_RANGE)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
