"""Asks servers without any client of ours."""

import http.client
import json
import socket
from contextlib import closing

from tests.servers.http import Server

Answer = tuple[int, dict[str, str], bytes]


def get(server: Server, target: str, method: str = "GET", **headers: str) -> Answer:
    """One request on a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request(method, target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        reply = connection.getresponse()
        return reply.status, {name.lower(): text for name, text in reply.getheaders()}, reply.read()


def exchange(server: Server, sent: bytes) -> bytes:
    """Everything that comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(sent)
        found = b""
        while piece := connection.recv(1 << 16):
            found += piece
        return found


def outcome(server: Server, target: str = "/a") -> str:
    """What a client sees of a reply."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.5)) as connection:
            connection.request("GET", target)
            reply = connection.getresponse()
            body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    try:
        json.loads(body)
    except ValueError:
        return f"{reply.status} {len(body)} bytes of {reply.getheader('Content-Type')}"
    return f"{reply.status} json"
