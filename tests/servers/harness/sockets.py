"""Addresses, clients of the servers under test, and Peer, a server for clients under test."""
import contextlib
import random
import re
import resource
import selectors
import socket
import struct
import threading

from .deadline import PATIENCE_S


def raise_descriptor_limit():
    """How many descriptors this process may have, after asking for all it may get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def port_of(url):
    return int(url.rpartition(':')[2]) if '://' in url else None


def address_of(url):
    """(family, type, address) for the functions of `socket`."""
    if url.startswith('unix:'):
        path = url.removeprefix('unix:')
        return socket.AF_UNIX, socket.SOCK_STREAM, '\0' + path[1:] if path[0] == '@' else path
    scheme, host, port = re.fullmatch(r'(\w+)://\[?(.*?)\]?:(\d+)', url).groups()
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if scheme == 'udp' else socket.SOCK_STREAM
    return family, kind, (host, int(port))


def unused_port():
    """A port for TCP and UDP that nobody has, outside of those that the system gives to others."""
    for _ in range(100):
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            with contextlib.suppress(OSError):
                stream.bind(('127.0.0.1', port))
                datagrams.bind(('127.0.0.1', port))
                return port
    raise AssertionError('every port is in use')


def open_client(url, **options):
    """A connected socket whose calls do not wait for ever."""
    family, kind, address = address_of(url)
    client = socket.socket(family, kind)
    client.settimeout(PATIENCE_S)
    if 'receive_buffer' in options:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options['receive_buffer'])
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def receive(client, count):
    """Exactly `count` bytes; an error if the stream ends before."""
    data = bytearray()
    while len(data) < count:
        piece = client.recv(min(1 << 16, count - len(data)))
        if not piece:
            raise AssertionError(f'the stream ended after {len(data)} of {count} bytes')
        data += piece
    return bytes(data)


def receive_all(client):
    """Everything until the end of the stream."""
    data = bytearray()
    while piece := client.recv(1 << 16):
        data += piece
    return bytes(data)


def is_over(client):
    """Waits for the server's end of an idle connection; true if it was an orderly one."""
    try:
        return client.recv(1) == b''
    except ConnectionError:
        return False


def reset(client):
    """Closes with a reset instead of an orderly end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


def converse(streams, source=None):
    """Sends and receives on all streams (socket, data, portion in bytes) at once until each has its
    answer or its end; with a `source` of numbers portions are random and each stream is ended."""
    sent = [0] * len(streams)
    answers = [bytearray() for _ in streams]
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    with selectors.DefaultSelector() as selector:
        for index, (client, _, _) in enumerate(streams):
            selector.register(client, both, index)
        while selector.get_map():
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise AssertionError('nothing moves: ' + ', '.join(
                    f'{len(answers[key.data])} of {len(streams[key.data][1])} bytes'
                    for key in list(selector.get_map().values())[:10]))
            for key, events in ready:
                client, data, portion = streams[key.data]
                portion = source.randrange(1, portion + 1) if source else portion
                if events & selectors.EVENT_WRITE:
                    sent[key.data] += client.send(data[sent[key.data]:][:portion])
                    if sent[key.data] == len(data):
                        selector.modify(client, selectors.EVENT_READ, key.data)
                        if source:
                            client.shutdown(socket.SHUT_WR)
                if events & selectors.EVENT_READ:
                    piece = client.recv(portion)
                    answers[key.data] += piece
                    if not piece or (not source and len(answers[key.data]) == len(data)):
                        selector.unregister(client)
    return [bytes(answer) for answer in answers]


class Peer:
    """A server for clients under test: serve(connection) runs on a thread for each connection."""

    def __init__(self, serve, family=socket.AF_INET, address=('127.0.0.1', 0)):
        self.serve = serve
        self.problems = []
        self.connections = []
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(128)
        bound = self.listener.getsockname()
        self.url = (f'tcp://127.0.0.1:{bound[1]}' if family == socket.AF_INET else f'unix:{bound}')
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            self.connections.append(connection)
            thread = threading.Thread(target=self.run, args=[connection], daemon=True)
            self.threads.append(thread)
            thread.start()

    def run(self, connection):
        try:
            with connection:
                self.serve(connection)
        except ConnectionError:
            pass  # a client may leave when it likes
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(repr(error))

    def close(self):
        # close() alone would leave accept() waiting.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        if self.problems:
            raise AssertionError(f'the test\'s own server failed: {self.problems}')
