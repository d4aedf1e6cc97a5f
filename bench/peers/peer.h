// What every peer does before its event loop starts, and what the comparison must not depend on:
// read `--port`, raise the descriptor limit, listen on loopback, say so on stdout. All peers adopt
// this same listening socket, so they differ in nothing but the loop that is measured.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
  peer_backlog = 4096,
  peer_receive_bytes = 64 * 1024,
  peer_exit_usage = 64,
  peer_exit_unavailable = 69
};

static inline void peer_fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(peer_exit_unavailable);
}

// Returns the port asked for; 0, the default, lets the kernel choose one.
static inline uint16_t peer_port(int argument_count, char** arguments) {
  if (argument_count == 1) return 0;
  if (argument_count == 3 && strcmp(arguments[1], "--port") == 0) {
    char* end = NULL;
    const unsigned long port = strtoul(arguments[2], &end, 10);
    if (end != arguments[2] && *end == '\0' && port <= UINT16_MAX) return (uint16_t)port;
  }
  fprintf(stderr, "usage: %s [--port PORT], with PORT from 0 (the kernel chooses) to 65535\n",
          arguments[0]);
  exit(peer_exit_usage);
}

// Ten thousand connections need more than the usual soft limit. A refusal shows itself at accept.
static inline void peer_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// Returns a non-blocking socket that listens on 127.0.0.1. Accepted sockets inherit its no-delay
// option on Linux, which spares every peer a system call per connection.
static inline int peer_listen(uint16_t port) {
  peer_raise_descriptor_limit();
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) peer_fail("socket");
  const int on = 1;
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    peer_fail("SO_REUSEADDR");
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) peer_fail("TCP_NODELAY");

  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (bind(listener, (const struct sockaddr*)&address, sizeof address) != 0)
    peer_fail("bind 127.0.0.1");
  if (listen(listener, peer_backlog) != 0) peer_fail("listen 127.0.0.1");
  return listener;
}

// Called once the loop would notice a connection and a SIGTERM.
static inline void peer_announce(int listener, const char* scheme) {
  struct sockaddr_in address;
  socklen_t address_bytes = sizeof address;
  if (getsockname(listener, (struct sockaddr*)&address, &address_bytes) != 0)
    peer_fail("getsockname");
  printf("listening %s://127.0.0.1:%u\nready\n", scheme, (unsigned)ntohs(address.sin_port));
  fflush(stdout);
}
