// Named socket settings, applied by listeners, connectors and datagram sockets.
//
//   Plain values, any thread. A setting that the platform refuses makes the set-up call fail with
//   the platform's error; a connector's connection ends with it. Settings of TCP have no meaning
//   for Unix sockets and datagrams, and are left out there.
//
// Sources: socket(7), tcp(7), ip(7), ipv6(7).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace tern {

// Keep-alive probes of an idle connection. Resolution: whole seconds, at least 1 s. OpenBSD has its
// own times for the whole system: operation_not_supported.
struct KeepAlive {
  std::chrono::seconds idle{60};      // silence before the first probe
  std::chrono::seconds interval{10};  // between probes
  std::uint32_t probes = 6;           // unanswered ones before the connection is reset; 1 to 127

  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

struct SocketOptions {
  // TCP_NODELAY: small writes leave at once. The library merges what one turn queues, so Nagle's
  // algorithm only adds delay; it can be wanted for bulk over slow links.
  bool no_delay = true;
  // SO_KEEPALIVE with its times; absent: off.
  std::optional<KeepAlive> keep_alive;
  // SO_RCVBUF and SO_SNDBUF in bytes; absent: the kernel's auto-tuning, which a value turns off.
  // Linux doubles the value for its own bookkeeping.
  std::optional<std::uint32_t> receive_buffer_bytes;
  std::optional<std::uint32_t> send_buffer_bytes;
  // SO_REUSEPORT: several listeners (or datagram sockets) on one port, one for each reactor, and
  // the kernel spreads what comes over them. Heeded by listeners and datagram sockets. A Server
  // sets it for its own reactors by itself; set here, other processes may share its ports as well.
  // Linux, FreeBSD and the simulated network. Elsewhere set-up fails with operation_not_supported.
  bool reuse_port = false;

  friend bool operator==(const SocketOptions&, const SocketOptions&) = default;
};

struct ListenOptions {
  SocketOptions socket;
  // Connections the kernel may hold before they are accepted. Clamped by the kernel
  // (net.core.somaxconn on Linux); what is in force is logged by the command.
  int backlog = 4096;
  // IPV6_V6ONLY, always set explicitly, so that [::] never takes IPv4 by a system default.
  bool v6_only = true;
};

}  // namespace tern
