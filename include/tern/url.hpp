// The addresses that users write: tcp://host:port, udp://host:port, unix:/path, tls://host:port.
//
//   tcp://127.0.0.1:7007   tcp://[::1]:7007   tcp://*:7007 (any IPv4)   tcp://[::]:7007
//   udp://127.0.0.1:7007   unix:/run/tern.sock   unix:@abstract   tcp://localhost:7007
//
//   A plain value, any thread. Source: RFC 3986.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tern/export.hpp"

namespace tern {

enum class Scheme : std::uint8_t { tcp, udp, local, tls };

struct Url {
  Scheme scheme = Scheme::tcp;
  std::string host;        // a name or a numeric address, no brackets; empty for local
  std::uint16_t port = 0;  // 0 to 65,535
  std::string path;        // local only

  // On a malformed or unsupported text nothing is thrown: returns false and `problem` says what is
  // wrong and what would be right, e.g. "port is missing in 'tcp://localhost'; write
  // tcp://HOST:PORT".
  TERN_API static bool parse(std::string_view text, Url& url, std::string& problem);

  TERN_API std::string to_string() const;
};

TERN_API std::string_view to_string(Scheme scheme);

}  // namespace tern
