#include "tern/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace tern {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc{} && stop == end && !text.empty();
}

// How much of the text stands before the mark; all of it if the mark is not there.
std::size_t length_before(std::string_view text, char mark) {
  return static_cast<std::size_t>(std::find(text.begin(), text.end(), mark) - text.begin());
}

std::optional<std::array<std::uint8_t, 4>> parse_ipv4(std::string_view text) {
  std::array<std::uint8_t, 4> address{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? length_before(text, '.') : text.size();
    if (i < 3 && dot == text.size()) return {};
    const std::string_view part = text.substr(0, dot);
    // A leading zero would be octal to some readers and decimal to others: refuse it.
    if (part.size() > 3 || (part.size() > 1 && part.front() == '0')) return {};
    if (!parse_number(part, address[i])) return {};
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return address;
}

// One side of "::" as bytes: groups of up to four hex digits; the address may end in a dotted IPv4.
// Returns the byte count, or nothing.
std::optional<std::size_t> parse_groups(std::string_view text, bool ends_the_address,
                                        std::array<std::uint8_t, 16>& into) {
  std::size_t bytes = 0;
  while (!text.empty()) {
    const std::size_t colon = length_before(text, ':');
    const std::string_view part = text.substr(0, colon);
    const bool last = colon == text.size();
    if (last && ends_the_address && length_before(part, '.') != part.size()) {
      const auto ipv4 = parse_ipv4(part);
      if (!ipv4 || bytes + 4 > 16) return {};
      std::copy(ipv4->begin(), ipv4->end(), into.begin() + static_cast<std::ptrdiff_t>(bytes));
      return bytes + 4;
    }
    std::uint16_t group = 0;
    if (part.size() > 4 || bytes + 2 > 16 || !parse_number(part, group, 16)) return {};
    into[bytes++] = static_cast<std::uint8_t>(group >> 8);
    into[bytes++] = static_cast<std::uint8_t>(group & 0xff);
    if (last) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return {};  // a trailing single colon
  }
  return bytes;
}

std::optional<std::array<std::uint8_t, 16>> parse_ipv6(std::string_view text) {
  std::array<std::uint8_t, 16> address{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto bytes = parse_groups(text, true, address);
    if (!bytes || *bytes != 16) return {};
    return address;
  }
  std::array<std::uint8_t, 16> tail{};
  const auto head_bytes = parse_groups(text.substr(0, gap), false, address);
  const auto tail_bytes = parse_groups(text.substr(gap + 2), true, tail);
  if (!head_bytes || !tail_bytes || *head_bytes + *tail_bytes > 14) return {};
  std::copy_n(tail.begin(), *tail_bytes, address.end() - static_cast<std::ptrdiff_t>(*tail_bytes));
  return address;
}

std::string format_ipv4(const std::uint8_t* a) {
  std::array<char, 16> text{};
  const int length = std::snprintf(text.data(), text.size(), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
  return {text.data(), static_cast<std::size_t>(length)};
}

// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::".
std::string format_ipv6(const std::array<std::uint8_t, 16>& a) {
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), a.begin())) return "::ffff:" + format_ipv4(&a[12]);
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = unsigned{a[2 * i]} << 8 | a[2 * i + 1];
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) {
      best = i;
      best_length = length;
    }
    i += length;
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + 4, groups[i], 16).ptr;
    text.append(digits.data(), end);
  }
  return text;
}

}  // namespace

Endpoint Endpoint::ipv4(const std::array<std::uint8_t, 4>& address, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.family_ = Family::ipv4;
  endpoint.port_ = port;
  std::copy(address.begin(), address.end(), endpoint.address_.begin());
  return endpoint;
}

Endpoint Endpoint::ipv6(const std::array<std::uint8_t, 16>& address, std::uint16_t port,
                        std::uint32_t scope) {
  Endpoint endpoint;
  endpoint.family_ = Family::ipv6;
  endpoint.port_ = port;
  endpoint.scope_ = scope;
  endpoint.address_ = address;
  return endpoint;
}

std::optional<Endpoint> Endpoint::local(std::string_view path) {
  if (path.empty() || path.size() > path_bytes_max) return {};
  Endpoint endpoint;
  endpoint.family_ = Family::local;
  endpoint.path_bytes_ = static_cast<std::uint8_t>(path.size());
  std::copy(path.begin(), path.end(), endpoint.path_.begin());
  return endpoint;
}

Endpoint Endpoint::unnamed_local() {
  Endpoint endpoint;
  endpoint.family_ = Family::local;
  return endpoint;
}

std::optional<Endpoint> Endpoint::from_address(std::string_view text, std::uint16_t port) {
  if (const auto address = parse_ipv4(text)) return ipv4(*address, port);
  std::uint32_t scope = 0;
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    if (!parse_number(text.substr(percent + 1), scope)) return {};
    text = text.substr(0, percent);
  }
  if (const auto address = parse_ipv6(text)) return ipv6(*address, port, scope);
  return {};
}

bool Endpoint::is_loopback() const {
  if (family_ == Family::ipv4) return address_[0] == 127;
  if (family_ != Family::ipv6) return family_ == Family::local;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return address_ == one;
}

bool Endpoint::is_any() const {
  return is_ip() && std::all_of(address_.begin(), address_.end(), [](auto b) { return b == 0; });
}

Endpoint Endpoint::with_port(std::uint16_t port) const {
  Endpoint copy = *this;
  copy.port_ = port;
  return copy;
}

std::string Endpoint::to_string() const {
  switch (family_) {
    case Family::none:
      return "-";
    case Family::ipv4:
      return format_ipv4(address_.data()) + ":" + std::to_string(port_);
    case Family::ipv6: {
      std::string text = "[" + format_ipv6(address_);
      if (scope_ != 0) text += "%" + std::to_string(scope_);
      return text + "]:" + std::to_string(port_);
    }
    case Family::local:
      return path_bytes_ == 0 ? "unnamed" : std::string(path());
  }
  return {};
}

}  // namespace tern
