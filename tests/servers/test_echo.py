"""tern echo gives back what it is given: over each kind of socket, in each kind of portion."""
import os
import random
import socket
import subprocess
import unittest

import harness


class Streams(harness.Case):
    def test_sizes(self):
        client = self.client(self.serve())
        client.setblocking(False)
        for size in (1, 2, 63, 64, 1023, 4096, 4097, 65535, 65536, 65537, 1 << 20):
            with self.subTest(size=size):
                data = harness.pattern(size, size)
                self.assertEqual(harness.converse([(client, data, size)]), [data])

    def test_half_close(self):
        client = self.client(self.serve())
        data = harness.pattern(100_000)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(harness.receive_all(client), data)

    def test_end_at_once(self):
        client = self.client(self.serve())
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(harness.receive_all(client), b'')

    @harness.needs_nc
    def test_netcat(self):
        server = self.serve()
        data = b''.join(b'line %d\n' % number for number in range(2000))
        answer = subprocess.run(['nc', '-N', '127.0.0.1', str(server.port)], input=data,
                                capture_output=True, check=True, timeout=harness.PATIENCE_S)
        self.assertEqual(answer.stdout, data)

    def test_byte_by_byte(self):
        client = self.client(self.serve())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = harness.pattern(1000)
        for byte in data:
            client.sendall(bytes([byte]))
        self.assertEqual(harness.receive(client, len(data)), data)
        for byte in data:
            self.exchange(client, bytes([byte]))

    def test_pipelined(self):
        client = self.client(self.serve())
        messages = [harness.pattern(64, number) for number in range(500)]
        for message in messages:
            client.sendall(message)
        self.assertEqual(harness.receive(client, 64 * 500), b''.join(messages))

    def test_200_clients_in_random_portions(self):
        server = self.serve()
        source = random.Random(harness.seed(self))
        streams = []
        for _ in range(200):
            client = self.client(server)
            client.setblocking(False)
            streams.append((client, source.randbytes(source.randrange(1, 100_000)),
                            source.randrange(1, 10_000)))
        echoed = harness.converse(streams, source)
        for (_, data, _), answer in zip(streams, echoed):
            self.assertEqual(answer, data)

    @harness.needs_ipv6
    def test_ipv6(self):
        server = self.serve(listen='tcp://[::1]:0')
        self.assertRegex(server.url, r'^tcp://\[::1\]:\d+$')
        self.exchange(self.client(server))

    @harness.needs_ipv6
    def test_one_family_only_unless_told(self):
        server = self.serve(listen='tcp://[::]:0')
        self.exchange(self.client(f'tcp://[::1]:{server.port}'))
        with self.assertRaises(ConnectionRefusedError):
            harness.open_client(f'tcp://127.0.0.1:{server.port}')

    @harness.needs_ipv6
    def test_both_families_on_one_socket(self):
        server = self.serve('--v6-only', 'off', listen='tcp://[::]:0')
        self.exchange(self.client(f'tcp://[::1]:{server.port}'))
        self.exchange(self.client(f'tcp://127.0.0.1:{server.port}'))

    @harness.needs_unix
    def test_unix(self):
        path = os.path.join(self.directory(), 'socket')
        server = self.serve(listen=f'unix:{path}')
        self.assertEqual(server.url, f'unix:{path}')
        client = self.client(server)
        self.exchange(client, harness.pattern(100_000))
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(client.recv(1), b'')

    @harness.needs_unix
    def test_unix_abstract(self):
        name = f'tern-test-{os.getpid()}-{random.SystemRandom().randrange(1 << 32)}'
        self.exchange(self.client(self.serve(listen=f'unix:@{name}')))

    @harness.needs_unix
    def test_several_addresses(self):
        path = os.path.join(self.directory(), 'socket')
        listen = ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0', f'unix:{path}', 'tcp://127.0.0.1:0']
        server = self.serve(listen=listen)
        self.assertEqual([harness.address_of(url)[:2] for url in server.urls],
                         [harness.address_of(url)[:2] for url in listen])
        self.assertEqual(len(set(server.urls)), 4)
        for url in server.urls:
            self.exchange(self.client(url))

    def test_workers(self):
        for balance in ('kernel', 'hand-over'):
            with self.subTest(balance=balance):
                server = self.serve('--workers', '2', '--balance', balance)
                clients = [self.client(server) for _ in range(40)]
                for number, client in enumerate(clients):
                    self.exchange(client, harness.pattern(2000, number))
                for client in clients:
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(1), b'')

    def test_hand_over_gives_each_worker_the_same(self):
        server = self.serve('--workers', '2', '--balance', 'hand-over', '--stats', '50ms')
        clients = [self.client(server) for _ in range(20)]
        for client in clients:
            self.exchange(client)
        harness.eventually(lambda: any(line['connections'] == '10+10'
                                       for line in server.statistics()), '10+10 connections')

    def test_statistics_say_what_happened(self):
        server = self.serve('--stats', '50ms', '--idle-timeout', '1s')
        for end in (harness.reset, socket.socket.close, lambda client: None):
            client = self.client(server)
            self.exchange(client)
            end(client)

        def is_told():
            seen = {name for line in server.statistics() for name, rate in line.items()
                    if rate.replace('.', '').strip('0')}
            return {'received_bytes', 'sent_bytes', 'accepted', 'closed.reset_by_peer',
                    'closed.finished', 'closed.idle_timeout', 'connections'} <= seen
        harness.eventually(is_told, 'all of it in the statistics')

    @harness.needs_unix
    def test_workers_on_a_unix_socket(self):
        path = os.path.join(self.directory(), 'socket')
        server = self.serve('--workers', '2', listen=f'unix:{path}')
        for client in [self.client(server) for _ in range(10)]:
            self.exchange(client)

    def test_small_kernel_buffers_and_watermarks(self):
        server = self.serve('--send-buffer', '4k', '--receive-buffer', '4k',
                            '--high-watermark', '8k', '--low-watermark', '1k')
        client = self.client(server, receive_buffer=4096)
        client.setblocking(False)
        data = harness.pattern(1 << 20)
        self.assertEqual(harness.converse([(client, data, 10_000)]), [data])

    def test_standard_output_is_the_announcement(self):
        server = self.serve(listen=['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0'])
        for url in server.urls:
            with harness.open_client(url) as client:
                self.exchange(client)
        self.assertEqual(server.drain(), 0)
        expected = ''.join(f'listening {url}\n' for url in server.urls) + 'ready\n'
        self.assertEqual(server.stdout.text(), expected)


class Datagrams(harness.Case):
    def open(self, listen='udp://127.0.0.1:0', **options):
        return self.client(self.serve(listen=listen, **options))

    def test_sizes(self):
        client = self.open()
        for size in (1, 64, 1472, 8192, 65507):
            with self.subTest(size=size):
                data = harness.pattern(size, size)
                client.send(data)
                self.assertEqual(client.recv(65536), data)

    def test_empty_datagrams_are_data(self):
        client = self.open()
        for data in (b'', b'x', b''):
            client.send(data)
            self.assertEqual(client.recv(16), data)

    def test_burst(self):
        client = self.open()
        sent = [b'%d ' % number * 20 for number in range(32)]
        for data in sent:
            client.send(data)
        self.assertEqual(sorted(client.recv(2048) for _ in sent), sorted(sent))

    @harness.needs_ipv6
    def test_ipv6(self):
        client = self.open('udp://[::1]:0')
        client.send(b'hello')
        self.assertEqual(client.recv(16), b'hello')

    def test_several_clients(self):
        server = self.serve(listen='udp://127.0.0.1:0')
        clients = [self.client(server) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(b'%d' % number)
        for number, client in enumerate(clients):
            self.assertEqual(client.recv(16), b'%d' % number)

    def test_a_client_that_is_gone_does_not_end_the_socket(self):
        server = self.serve(listen='udp://127.0.0.1:0')
        live = self.client(server)
        for _ in range(20):
            gone = harness.open_client(server.url)
            for _ in range(5):
                gone.send(b'nobody will take the answer')
            gone.close()
            live.send(b'still there?')
            self.assertEqual(live.recv(64), b'still there?')

    def test_drains(self):
        server = self.serve(listen='udp://127.0.0.1:0')
        client = self.client(server)
        client.send(b'hello')
        self.assertEqual(client.recv(16), b'hello')
        self.assertEqual(server.drain(), 0)


if __name__ == '__main__':
    harness.main()
