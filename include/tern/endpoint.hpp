// Endpoint: where a socket is, or where it should go: an IPv4 or IPv6 address with a port, or a
// Unix domain path.
//
//   A plain value: trivially copyable, no allocation, no ownership. Any thread.
//   Text form (RFC 3986 authority): 127.0.0.1:7007, [::1]:7007, [fe80::1%2]:7007, /run/tern.sock.
//   A Unix path that begins with '@' names the Linux abstract namespace.
//
// Sources: ip(7), ipv6(7), unix(7), RFC 4291, RFC 6874 (zone as a number only).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tern/export.hpp"

namespace tern {

enum class Family : std::uint8_t {
  none,  // no address: a default-constructed endpoint
  ipv4,
  ipv6,
  local,  // Unix domain socket
};

class TERN_API Endpoint {
 public:
  // The longest Unix path that every supported kernel takes, in bytes (macOS: 104 with its zero).
  static constexpr std::size_t path_bytes_max = 103;

  Endpoint() = default;

  // `address` in network byte order, `port` in host byte order (0 asks the kernel to choose).
  static Endpoint ipv4(const std::array<std::uint8_t, 4>& address, std::uint16_t port);
  // `scope` is the interface index of a link-local address, otherwise 0.
  static Endpoint ipv6(const std::array<std::uint8_t, 16>& address, std::uint16_t port,
                       std::uint32_t scope = 0);
  // Nothing when `path` is empty or longer than `path_bytes_max`. An unnamed local endpoint (the
  // peer of most Unix connections) is `unnamed_local()`.
  static std::optional<Endpoint> local(std::string_view path);
  static Endpoint unnamed_local();

  // Reads a numeric address: "127.0.0.1", "::1", "fe80::1%2" (no brackets, no names).
  static std::optional<Endpoint> from_address(std::string_view address, std::uint16_t port);

  Family family() const { return family_; }
  bool is_ip() const { return family_ == Family::ipv4 || family_ == Family::ipv6; }
  std::uint16_t port() const { return port_; }
  std::uint32_t scope() const { return scope_; }
  // The first 4 (ipv4) or 16 (ipv6) bytes are the address, in network byte order.
  const std::array<std::uint8_t, 16>& address() const { return address_; }
  // Empty unless `family()` is local and the socket is named.
  std::string_view path() const { return {path_.data(), path_bytes_}; }

  bool is_loopback() const;
  // 0.0.0.0 or ::
  bool is_any() const;
  Endpoint with_port(std::uint16_t port) const;

  // The text form above; "-" for no address, "unnamed" for an unnamed local one.
  std::string to_string() const;

  friend bool operator==(const Endpoint& left, const Endpoint& right) {
    return left.family_ == right.family_ && left.port_ == right.port_ &&
           left.scope_ == right.scope_ && left.address_ == right.address_ &&
           left.path() == right.path();
  }

 private:
  // `path_` is left unwritten for IP endpoints: a datagram batch fills many of these per turn.
  Family family_ = Family::none;
  std::uint8_t path_bytes_ = 0;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;
  std::array<std::uint8_t, 16> address_{};
  std::array<char, path_bytes_max> path_;
};

}  // namespace tern
