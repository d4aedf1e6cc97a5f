"""Clients that reset, vanish, stay silent, never read, or come all at once: the server lives on, in
bounded memory, without spinning, and others are served."""
import contextlib
import os
import selectors
import signal
import socket
import threading
import time

import harness


class Resets(harness.Case):
    def test_in_the_middle(self):
        server = self.serve()
        neighbour = self.client(server)
        for size in (1, 100, 100_000):
            client = harness.open_client(server.url)
            self.exchange(client)
            client.sendall(harness.pattern(size))
            harness.reset(client)
            self.exchange(neighbour)

    def test_with_unread_answers(self):
        server = self.serve()
        client = harness.open_client(server.url)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(bytes(65536))
        harness.reset(client)
        self.exchange(self.client(server))

    @harness.needs_signals
    def test_before_accept(self):
        server = self.serve()
        server.signal(signal.SIGSTOP)
        clients = [harness.open_client(server.url) for _ in range(50)]
        for client in clients:
            client.sendall(b'x')
            harness.reset(client)
        late = self.client(server)
        server.signal(signal.SIGCONT)
        self.exchange(late)

    def test_1000_at_once(self):
        harness.raise_descriptor_limit()
        server = self.serve()
        clients = [harness.open_client(server.url) for _ in range(1000)]
        for client in clients:
            client.sendall(b'x' * 100)
        for client in clients:
            harness.reset(client)
        self.exchange(self.client(server))

    @harness.needs_proc
    def test_no_descriptor_is_lost(self):
        server = self.serve()
        self.exchange(self.client(server))
        before = server.descriptors()
        for _ in range(300):
            client = harness.open_client(server.url)
            client.sendall(b'x' * 100)
            harness.reset(client)
        harness.eventually(lambda: server.descriptors() == before, 'as many descriptors as before')

    def test_out_of_band_byte(self):
        client = self.client(self.serve())
        client.sendall(b'before')
        client.send(b'!', socket.MSG_OOB)
        client.sendall(b'after')
        self.assertEqual(harness.receive(client, 11), b'beforeafter')


class Crowds(harness.Case):
    def test_2000_connects_at_once(self):
        harness.raise_descriptor_limit()
        server = self.serve()
        streams = []
        for number in range(2000):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(('127.0.0.1', server.port))
            streams.append((client, b'client %d' % number, 64))
        for (_, data, _), answer in zip(streams, harness.converse(streams)):
            self.assertEqual(answer, data)

    def test_above_the_limit_of_connections(self):
        server = self.serve('--max-connections', '5')
        served = [self.client(server) for _ in range(5)]
        for client in served:
            self.exchange(client)
        with self.assertRaises(ConnectionError):
            # The reset may come before connect() has returned.
            self.client(server).recv(1)
        served.pop().close()
        harness.eventually(lambda: self.is_served(server), 'a new client in the free place')
        for client in served:
            self.exchange(client)

    def is_served(self, server):
        with contextlib.suppress(ConnectionError), harness.open_client(server.url) as client:
            client.sendall(b'x')
            return client.recv(1) == b'x'
        return False

    @harness.needs_proc
    def test_descriptors_run_out(self):
        server = self.serve(descriptors=64)
        room = 64 - server.descriptors()
        clients = [self.client(server) for _ in range(200)]
        with selectors.DefaultSelector() as selector:
            for client in clients:
                client.sendall(b'x')
                selector.register(client, selectors.EVENT_READ)
            served = {}
            while len(served) < room - 2:
                self.take_answers(selector, served)
            # Nobody leaves, so that the others wait, and the server with them.
            self.assert_quiet(server, sleeps=50)
            self.assertIn('too many open files', server.stderr.text().lower())
            for key in selector.select(0):
                self.take_answers(selector, served)
            self.assertLessEqual(len(served), room)
            self.assertEqual(set(served.values()), {b'x'})
            # Each that leaves makes room for another.
            left = set()
            while selector.get_map() or len(left) < len(served):
                for client in set(served) - left:
                    client.close()
                    left.add(client)
                if selector.get_map():
                    self.take_answers(selector, served)
            self.assertEqual(len(served), 200)
            self.assertEqual(set(served.values()), {b'x'})
        self.exchange(self.client(server))

    def take_answers(self, selector, served):
        ready = selector.select(harness.PATIENCE_S)
        self.assertTrue(ready, f'{len(served)} clients were served, and nothing moves')
        for key, _ in ready:
            served[key.fileobj] = key.fileobj.recv(16)
            selector.unregister(key.fileobj)


class Silence(harness.Case):
    def test_idle_timeout(self):
        server = self.serve('--idle-timeout', '2s')
        started = time.monotonic()
        silent = self.client(server)
        half_closed = self.client(server)
        half_closed.sendall(b'x')
        half_spoken = self.client(server)
        half_spoken.sendall(b'half a mess')
        busy = self.client(server)
        stop = threading.Event()
        talker = threading.Thread(target=self.talk, args=[busy, stop], daemon=True)
        talker.start()
        self.addCleanup(talker.join, harness.PATIENCE_S)
        self.addCleanup(stop.set)
        harness.is_over(silent)
        self.assertGreaterEqual(time.monotonic() - started, 1.99)
        self.assertEqual(harness.receive(half_closed, 1), b'x')
        harness.is_over(half_closed)
        harness.receive(half_spoken, 11)
        harness.is_over(half_spoken)
        stop.set()
        talker.join(harness.PATIENCE_S)
        self.exchange(busy)

    def talk(self, client, stop):
        while not stop.wait(0.01):
            client.sendall(b'x')
            client.recv(1)

    @harness.needs_proc
    def test_a_peer_without_a_last_word(self):
        """Half-open connections: the machine of the peer is gone, and nothing ever says so."""
        server = self.serve('--idle-timeout', '2s')
        before = server.descriptors()
        clients = [harness.open_client(server.url) for _ in range(10)]
        for client in clients:
            self.exchange(client)
        for client in clients:
            vanish(self, client)
        harness.eventually(lambda: server.descriptors() == before, 'the end of all connections')

    def test_keep_alive_is_accepted(self):
        server = self.serve('--keep-alive', '1s,1s,2')
        self.exchange(self.client(server))


class NeverReading(harness.Case):
    HIGH_BYTES = 64 << 10
    # What one receive may bring beyond the watermark.
    RECEIVE_BYTES = 64 << 10
    SLACK_BYTES = 1 << 20
    # The buffers that all connections of an io_uring share.
    RING_BYTES = 8 << 20 if harness.POLLER == 'io_uring' else 0
    CLIENTS = 20

    @harness.needs_proc
    def test_memory_is_bounded_and_others_are_served(self):
        server = self.serve('--high-watermark', '64k', '--low-watermark', '16k')
        neighbours = [self.client(server) for _ in range(10)]
        for client in neighbours:
            self.exchange(client, harness.pattern(20_000))
        before = server.resident_bytes()
        clients = [self.client(server, receive_buffer=8192) for _ in range(self.CLIENTS)]
        data = memoryview(harness.pattern(32 << 20))
        sent = [0] * len(clients)
        harness.eventually(lambda: self.is_stuck(clients, sent, data, neighbours),
                           'that the server stops taking')
        grown = server.resident_bytes() - before
        self.assertLess(grown, self.CLIENTS * (self.HIGH_BYTES + self.RECEIVE_BYTES)
                        + self.SLACK_BYTES + self.RING_BYTES)
        self.assertLess(max(sent), len(data))
        for client in neighbours:
            self.exchange(client)
        self.assert_quiet(server)
        # Whoever reads at last gets every byte.
        for client, count in zip(clients[:3], sent):
            client.setblocking(True)
            client.settimeout(harness.PATIENCE_S)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(harness.receive_all(client), data[:count])

    def is_stuck(self, clients, sent, data, neighbours):
        """Offers more to the server for a while; true if nobody got rid of any of it."""
        before = list(sent)
        for _ in range(30):
            for index, client in enumerate(clients):
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while sent[index] < len(data):
                        sent[index] += client.send(data[sent[index]:][:1 << 16])
            for client in neighbours:
                self.exchange(client)
            time.sleep(0.01)  # the time for which nothing may move
        return sent == before

    def test_reset_while_full(self):
        server = self.serve('--high-watermark', '16k')
        for _ in range(5):
            client = harness.open_client(server.url, receive_buffer=4096)
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(65536))
            harness.reset(client)
        self.exchange(self.client(server))

    @harness.needs_proc
    def test_silent_reader_is_ended_by_the_idle_timeout(self):
        server = self.serve('--idle-timeout', '1s')
        client = self.client(server, receive_buffer=4096)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(bytes(65536))
        harness.eventually(lambda: self.is_broken(client), 'the end of the connection')
        self.exchange(self.client(server))

    def is_broken(self, client):
        try:
            client.send(b'x')
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return False


def vanish(case, client):
    """Closes a socket without a word to the other end: Linux' TCP_REPAIR, for those who may."""
    try:
        client.setsockopt(socket.IPPROTO_TCP, 19, 1)
    except OSError:
        case.skipTest('needs CAP_NET_ADMIN')
    client.close()


if __name__ == '__main__':
    harness.main()
