"""The end of a server: on a signal it finishes what it has begun, and only that."""
import contextlib
import os
import select
import selectors
import signal
import socket
import threading
import time

import harness


class Drain(harness.Case):
    def test_nobody_there(self):
        for number in (*harness.STOPS, *harness.HANGUPS):
            with self.subTest(signal=number.name):
                server = self.serve()
                server.signal(number)
                self.assertEqual(server.wait(), 0)

    def test_idle_clients_are_ended(self):
        for number in harness.STOPS:
            with self.subTest(signal=number.name):
                server = self.serve('--drain-timeout', '50s')
                clients = [self.client(server) for _ in range(20)]
                for client in clients:
                    self.exchange(client)
                server.signal(number)
                for client in clients:
                    self.assertTrue(harness.is_over(client), 'reset instead of an end')
                    client.close()
                # Long before the time-out.
                self.assertEqual(server.wait(40), 0)
                self.assertEqual(server.aborted(), 0)

    def test_clients_that_never_spoke(self):
        server = self.serve('--drain-timeout', '50s')
        clients = [self.client(server) for _ in range(3)]
        # The last one has been accepted when a later one is answered.
        with harness.open_client(server.url) as later:
            self.exchange(later)
        server.stop()
        for client in clients:
            self.assertTrue(harness.is_over(client))
            client.close()
        self.assertEqual(server.wait(40), 0)

    def test_clients_in_the_middle_get_every_byte_and_new_ones_are_refused(self):
        for workers in ('1', '2'):
            with self.subTest(workers=workers):
                # Small buffers, so that the server always has more than the client has taken.
                server = self.serve('--workers', workers, '--drain-timeout', '50s',
                                    '--send-buffer', '4k')
                clients = [self.accepted_client(server) for _ in range(4)]
                data = harness.pattern(4 << 20)
                sent = [self.fill(client, data) for client in clients]
                server.stop()
                self.wait_refused(server)
                self.assertTrue(server.running())
                streams = [(client, data[count:], 1 << 16) for client, count in zip(clients, sent)]
                for client, count, answer in zip(clients, sent, self.finish(streams)):
                    self.assertEqual(answer, data)
                # As soon as the last one is done, not at the time-out.
                self.assertEqual(server.wait(40), 0)
                self.assertEqual(server.aborted(), 0)

    def accepted_client(self, server):
        """One that is not in the listener's queue, which ends with the listener."""
        client = self.client(server, receive_buffer=4096)
        self.exchange(client)
        return client

    def fill(self, client, data):
        """Sends until the server has taken what it can without our reading; how much that was."""
        client.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < len(data):
                sent += client.send(data[sent:sent + (1 << 16)])
        return sent

    def finish(self, streams):
        """Sends the rest, ends our half, reads to the server's end."""
        answers = [bytearray() for _ in streams]
        sent = [0] * len(streams)
        with selectors.DefaultSelector() as selector:
            for index, (client, _, _) in enumerate(streams):
                selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE, index)
            while selector.get_map():
                ready = selector.select(harness.PATIENCE_S)
                self.assertTrue(ready, 'nothing moves')
                for key, events in ready:
                    client, data, portion = streams[key.data]
                    # Sending comes first, so that the server is never out of work before the end.
                    if events & selectors.EVENT_WRITE:
                        if sent[key.data] < len(data):
                            sent[key.data] += client.send(data[sent[key.data]:][:portion])
                        else:
                            client.shutdown(socket.SHUT_WR)
                            selector.modify(client, selectors.EVENT_READ, key.data)
                    elif events & selectors.EVENT_READ:
                        piece = client.recv(portion)
                        answers[key.data] += piece
                        if not piece:
                            selector.unregister(client)
        return answers

    def wait_refused(self, server):
        def is_refused():
            try:
                harness.open_client(server.url).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                pass  # it was in the queue when the listener closed
            return False
        harness.eventually(is_refused, 'that new clients are refused')

    def test_a_client_that_never_ends_is_cut(self):
        # It reads now and then, but always has more to say; so the server is never idle.
        server = self.serve('--drain-timeout', '1s', '--send-buffer', '4k')
        client = self.accepted_client(server)
        data = harness.pattern(32 << 20)
        self.fill(client, data)
        started = time.monotonic()
        server.stop()
        with contextlib.suppress(ConnectionError):
            while True:
                self.fill(client, data)
                self.assertTrue(select.select([client], [], [], harness.PATIENCE_S)[0])
                if not client.recv(100):
                    break
        self.assertEqual(server.wait(), 0)
        self.assertGreaterEqual(time.monotonic() - started, 0.99, 'cut before its time')
        self.assertEqual(server.aborted(), 1)

    def test_a_client_that_never_reads_is_cut(self):
        server = self.serve('--drain-timeout', '1s')
        client = self.accepted_client(server)
        self.fill(client, harness.pattern(32 << 20))
        server.stop()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.aborted(), 1)

    def test_a_second_signal_ends_at_once(self):
        for number in harness.STOPS:
            with self.subTest(signal=number.name):
                server = self.serve('--drain-timeout', '1h')
                client = self.accepted_client(server)
                self.fill(client, harness.pattern(32 << 20))
                server.signal(number)
                self.wait_refused(server)
                self.assertTrue(server.running())
                server.signal(number)
                self.assertEqual(server.wait(), 128 + number)

    def test_signal_under_load(self):
        """Connects, exchanges and ends of many clients at the moment of the signal."""
        for balance in ('kernel', 'hand-over'):
            with self.subTest(balance=balance):
                self.signal_under_load(self.serve('--workers', '2', '--balance', balance,
                                                  '--drain-timeout', '20s'))

    def signal_under_load(self, server):
        outcomes, enough = [], threading.Semaphore(0)
        threads = [threading.Thread(target=self.come_and_go, args=[server, outcomes, enough],
                                    daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(200):
            self.assertTrue(enough.acquire(timeout=harness.PATIENCE_S), outcomes)
        server.stop()
        for thread in threads:
            thread.join(harness.PATIENCE_S)
        self.assertEqual(server.wait(), 0)
        self.assertEqual(outcomes, ['refused'] * len(threads))

    def come_and_go(self, server, outcomes, enough):
        """Until the listener is gone; anything but an echo is an outcome."""
        data = harness.pattern(1000)
        while True:
            try:
                client = harness.open_client(server.url)
            except ConnectionRefusedError:
                outcomes.append('refused')
                return
            except OSError:
                continue  # in the queue of the listener when it closed
            with client:
                try:
                    client.sendall(data)
                    first = client.recv(len(data))
                except ConnectionError:
                    continue  # the same
                try:
                    if first:
                        answer = first + harness.receive(client, len(data) - len(first))
                        client.shutdown(socket.SHUT_WR)
                        if answer != data or client.recv(1):
                            outcomes.append('wrong bytes')
                    enough.release()
                except (OSError, AssertionError) as error:
                    outcomes.append(repr(error))
                    return


class Restart(harness.Case):
    def test_20_times_on_the_same_port(self):
        url = f'tcp://127.0.0.1:{harness.unused_port()}'
        server = self.serve(listen=url)
        for attempt in range(20):
            clients = [self.client(url) for _ in range(10)]
            for client in clients:
                self.exchange(client)
            # Clients are there to the end, and the server has the first word: its side holds the
            # port for a while after (TIME_WAIT).
            # The server of Wine keeps one of the sockets of a process that was killed.
            is_asked = attempt % 5 == 0 or harness.WINE
            server.signal(harness.STOPS[0] if is_asked else signal.SIGKILL)
            for client in clients:
                self.assertTrue(harness.is_over(client))
                client.close()
            self.assertEqual(server.wait(), 0 if is_asked else -signal.SIGKILL)
            server = self.serve(listen=url)
            self.assertEqual(server.url, url)

    @harness.needs_unix
    def test_unix_path_after_any_end(self):
        url = f'unix:{self.directory()}/socket'
        server = self.serve(listen=url)
        with harness.open_client(url) as client:
            self.exchange(client)
        self.assertEqual(server.drain(), 0)
        self.assertFalse(os.path.exists(url.removeprefix('unix:')))
        server = self.serve(listen=url)
        self.exchange(self.client(server))
        server.kill()
        self.assertTrue(os.path.exists(url.removeprefix('unix:')))
        self.exchange(self.client(self.serve(listen=url)))

    def test_a_second_server_is_turned_away(self):
        directory = self.directory()
        addresses = ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0']
        if not harness.WINDOWS:
            addresses.append(f'unix:{directory}/socket')
        for listen in addresses:
            for workers in ('1', '2'):
                with self.subTest(listen=listen, workers=workers):
                    first = self.serve('--workers', workers, listen=listen)
                    code, output, errors = self.run_command(
                        'echo', '--listen', first.url, '--workers', workers)
                    self.assertEqual((code, output), (69, b''), errors)
                    self.assertEqual(len(errors.splitlines()), 1, errors)
                    self.assertIn(first.url, errors)
                    self.assertIn('in use', errors)
                    with harness.open_client(first.url) as client:
                        self.exchange(client)
                    self.assertEqual(first.drain(), 0)


if __name__ == '__main__':
    harness.main()
