#include "src/support/http_exchange.hpp"

#include <algorithm>

namespace tern::support {
namespace {

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool is_host(std::string_view name) {
  static constexpr std::string_view host = "host";
  return std::equal(name.begin(), name.end(), host.begin(), host.end(),
                    [](char left, char right) { return (left | 0x20) == right; });
}

// Cuts a line off, without its end, which may be a bare LF (RFC 9112, 2.2).
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Other";
  }
}

}  // namespace

HttpRequest::Got HttpRequest::wrong(int status) {
  status_ = status;
  return Got::wrong;
}

HttpRequest::Got HttpRequest::feed(std::string_view bytes) {
  held_ += bytes.substr(0, head_bytes_max + 1 - held_.size());
  // An empty line ends the head; those before it are nothing.
  const std::size_t begin = std::min(held_.find_first_not_of("\r\n"), held_.size());
  const std::string_view text = std::string_view(held_).substr(begin);
  const std::size_t end = std::min(text.find("\n\n"), text.find("\n\r\n"));
  if (end != std::string_view::npos) return read_head(text.substr(0, end));
  return held_.size() > head_bytes_max ? wrong(431) : Got::more;
}

HttpRequest::Got HttpRequest::read_head(std::string_view head) {
  const std::string_view line = take_line(head);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || has_control(line)) return wrong(400);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(line.substr(0, first)) || !target.starts_with('/') ||
      target.find(' ') != std::string_view::npos || !version.starts_with("HTTP/")) {
    return wrong(400);
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return wrong(505);
  std::size_t hosts = 0;
  while (!head.empty()) {
    const std::string_view field = take_line(head);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || !is_token(field.substr(0, colon)) ||
        has_control(field)) {
      return wrong(400);
    }
    hosts += is_host(field.substr(0, colon)) ? 1 : 0;
  }
  // RFC 9112, 3.2: exactly one.
  if (hosts > 1 || (hosts == 0 && version == "HTTP/1.1")) return wrong(400);
  method_ = line.substr(0, first);
  path_ = target.substr(0, target.find('?'));
  return Got::request;
}

std::string http_response(int status, std::string_view content_type, std::string_view body,
                          bool has_body) {
  std::string response = "HTTP/1.1 " + std::to_string(status) + " ";
  response.append(reason(status)).append("\r\nContent-Type: ").append(content_type);
  response.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  if (status == 405) response += "\r\nAllow: GET, HEAD";
  response += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (has_body) response += body;
  return response;
}

}  // namespace tern::support
