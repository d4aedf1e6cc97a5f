#include "tern/url.hpp"

#include <algorithm>
#include <charconv>

#include "tern/endpoint.hpp"

namespace tern {
namespace {

// RFC 1035 2.3.4, as text without the root's dot.
constexpr std::size_t name_bytes_max = 253;

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_name_letter(char letter) {
  return is_digit(letter) || (lower(letter) >= 'a' && lower(letter) <= 'z') || letter == '-' ||
         letter == '.' || letter == '_';
}

// Control characters would break the one line of an error message.
std::string quoted(std::string_view text) {
  std::string quote = "'";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    quote += code < 0x20 || code == 0x7f ? '?' : letter;
  }
  return quote + "'";
}

bool fail(std::string& problem, std::string_view what, std::string_view text,
          std::string_view advice) {
  problem = std::string(what) + " in " + quoted(text) + "; write " + std::string(advice);
  return false;
}

bool parse_path(std::string_view text, std::string_view path, Url& url, std::string& problem) {
  constexpr std::string_view advice = "unix:/PATH or unix:@NAME";
  // "unix:///run/x" is the same path with an empty authority (RFC 3986 3.2); a name between the
  // slashes would be a host.
  if (path.substr(0, 2) == "//") {
    path.remove_prefix(2);
    if (!path.empty() && path.front() != '/') {
      return fail(problem, "a Unix socket has no host, as", text, advice);
    }
  }
  if (path.empty() || path == "@") return fail(problem, "path is missing", text, advice);
  if (path.find('\0') != std::string_view::npos) {
    return fail(problem, "zero byte", text, advice);
  }
  if (path.size() > Endpoint::path_bytes_max) {
    return fail(problem, "path of " + std::to_string(path.size()) + " bytes", text,
                "at most " + std::to_string(Endpoint::path_bytes_max) + " bytes");
  }
  url = Url{Scheme::local, {}, 0, std::string(path)};
  return true;
}

bool parse_port(std::string_view text, std::string_view digits, std::string_view advice,
                std::uint16_t& port, std::string& problem) {
  if (digits.empty()) return fail(problem, "port is missing", text, advice);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (error == std::errc::result_out_of_range) {
    return fail(problem, "port " + quoted(digits) + " is too large", text,
                "a number from 0 to 65535");
  }
  if (error == std::errc{} && stop == end) return true;
  if (digits.find_first_of("/?#") != std::string_view::npos) {
    return fail(problem, "something after the port", text, advice);
  }
  return fail(problem, "port " + quoted(digits) + " is not a number", text,
              "a number from 0 to 65535");
}

// A name or an IPv4 address; brackets have been dealt with.
bool check_host(std::string_view text, std::string_view host, std::string_view advice,
                std::string& problem) {
  if (host.empty()) return fail(problem, "host is missing", text, advice);
  if (host.find('@') != std::string_view::npos) {
    return fail(problem, "a user name", text, advice);
  }
  if (host.size() > name_bytes_max) {
    return fail(problem, "host of " + std::to_string(host.size()) + " letters", text,
                "at most " + std::to_string(name_bytes_max));
  }
  if (!std::all_of(host.begin(), host.end(), is_name_letter)) {
    return fail(problem, "host " + quoted(host) + " is not a name or an address", text, advice);
  }
  // The resolver reads 127.1 and 0177.0.0.1 in its own way: only the four-part form is clear.
  const bool numeric = std::all_of(host.begin(), host.end(),
                                   [](char letter) { return is_digit(letter) || letter == '.'; });
  if (numeric && !Endpoint::from_address(host, 0)) {
    return fail(problem, quoted(host) + " is not an IPv4 address", text,
                "four numbers from 0 to 255, such as 127.0.0.1");
  }
  return true;
}

bool parse_authority(std::string_view text, std::string_view authority, std::string_view advice,
                     Url& url, std::string& problem) {
  std::string_view host;
  std::string_view rest;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t bracket = authority.find(']');
    host = authority.substr(1, bracket == std::string_view::npos ? bracket : bracket - 1);
    const auto endpoint = Endpoint::from_address(host, 0);
    if (bracket == std::string_view::npos || !endpoint || endpoint->family() != Family::ipv6) {
      return fail(problem, "what is in brackets is not an IPv6 address", text,
                  "an address such as [::1]");
    }
    rest = authority.substr(bracket + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    host = authority.substr(0, colon);
    rest = authority.substr(colon);
    if (std::count(rest.begin(), rest.end(), ':') > 1) {
      return fail(problem, "too many colons", text, "an IPv6 address in brackets, such as [::1]");
    }
    if (host == "*") host = "0.0.0.0";
    if (!check_host(text, host, advice, problem)) return false;
  }
  if (rest.empty() || rest.front() != ':') return fail(problem, "port is missing", text, advice);
  std::uint16_t port = 0;
  if (!parse_port(text, rest.substr(1), advice, port, problem)) return false;
  url.host = host;
  url.port = port;
  url.path.clear();
  return true;
}

}  // namespace

bool Url::parse(std::string_view text, Url& url, std::string& problem) {
  constexpr std::string_view forms =
      "tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or unix:/PATH";
  const std::size_t colon = text.find(':');
  if (text.empty()) {
    problem = "the address is empty; write " + std::string(forms);
    return false;
  }
  std::string scheme(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
  if (scheme == "unix") return parse_path(text, text.substr(colon + 1), url, problem);
  if (colon == std::string_view::npos || text.substr(colon, 3) != "://") {
    return fail(problem, "scheme is missing", text, forms);
  }
  Url parsed;
  if (scheme == "udp") {
    parsed.scheme = Scheme::udp;
  } else if (scheme == "tls") {
    parsed.scheme = Scheme::tls;
  } else if (scheme != "tcp") {
    return fail(problem, "unknown scheme " + quoted(scheme), text, forms);
  }
  const std::string advice = std::string(tern::to_string(parsed.scheme)) + "://HOST:PORT";
  if (!parse_authority(text, text.substr(colon + 3), advice, parsed, problem)) return false;
  url = std::move(parsed);
  return true;
}

std::string Url::to_string() const {
  // A path that begins with two slashes would be read as an authority.
  if (scheme == Scheme::local) return (path.starts_with("//") ? "unix://" : "unix:") + path;
  const bool brackets = host.find(':') != std::string::npos;
  return std::string(tern::to_string(scheme)) + "://" + (brackets ? "[" : "") + host +
         (brackets ? "]:" : ":") + std::to_string(port);
}

std::string_view to_string(Scheme scheme) {
  switch (scheme) {
    case Scheme::tcp:
      return "tcp";
    case Scheme::udp:
      return "udp";
    case Scheme::local:
      return "unix";
    case Scheme::tls:
      return "tls";
  }
  return "unknown";
}

}  // namespace tern
