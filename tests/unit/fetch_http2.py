"""A small HTTP/2 server over TLS, and a certificate for it."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server at 127.0.0.1, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "test.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


class Http2:
    """Answers by path: /<n> n bytes, /endless, /slow, /reset the stream, /hangup without an answer, /cut the connection
    in the body, /short of what Content-Length says, /status nonsense, /goodbye the connection after the answer."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.paths: list[str] = []
        self.connections = 0
        self.open: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._context.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._context.set_alpn_protocols(["http/1.1"])
        self._server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in list(self.open):
            connection.transport.abort()
        await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    def __init__(self, server: Http2) -> None:
        self.server = server
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        self.window = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections += 1
        self.server.open.add(self)
        self.h2.initiate_connection()
        transport.write(self.h2.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.open.discard(self)
        self.window.set()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.headers is not None
                path = dict(event.headers)[b":path"].decode()
                self.server.paths.append(path)
                task = asyncio.get_running_loop().create_task(self.answer(event.stream_id, path.strip("/")))
                self.server.tasks.add(task)
                task.add_done_callback(self.server.tasks.discard)
            elif isinstance(event, h2.events.WindowUpdated):
                self.window.set()
        self.flush()

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

    async def answer(self, stream: int | None, what: str) -> None:
        assert stream is not None
        special = {
            "reset": self.reset,
            "hangup": self.hang_up,
            "status": self.nonsense,
            "slow": self.slow,
            "short": self.short,
            "cut": self.cut,
            "endless": self.endless,
            "goodbye": self.goodbye,
        }
        with contextlib.suppress(h2.exceptions.ProtocolError):
            if what in special:
                await special[what](stream)
            else:
                await self.send(stream, int(what), bytes(int(what)))
        self.flush()

    async def reset(self, stream: int) -> None:
        self.h2.reset_stream(stream)

    async def hang_up(self, stream: int) -> None:
        self.transport.abort()

    async def nonsense(self, stream: int) -> None:
        self.h2.send_headers(stream, [(":status", "what")], end_stream=True)

    async def slow(self, stream: int) -> None:
        await asyncio.sleep(0.5)
        await self.send(stream, 4, b"slow")

    async def short(self, stream: int) -> None:
        await self.send(stream, 9, b"four")

    async def cut(self, stream: int) -> None:
        await self.send(stream, 9, b"four", is_end=False)
        self.transport.close()

    async def endless(self, stream: int) -> None:
        await self.send(stream, None, bytes(3 << 20))

    async def goodbye(self, stream: int) -> None:
        await self.send(stream, 1, b"x")
        self.transport.close()

    async def send(self, stream: int, length: int | None, body: bytes, *, is_end: bool = True) -> None:
        self.h2.send_headers(stream, [(":status", "200")] + [("content-length", str(length))] * (length is not None))
        self.flush()
        while body:
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if self.transport.is_closing():
                return
            if not size:
                self.window.clear()
                await self.window.wait()
                continue
            self.h2.send_data(stream, body[:size])
            body = body[size:]
            self.flush()
            await asyncio.sleep(0)
        if is_end:
            self.h2.end_stream(stream)
            self.flush()
