// Just enough of HTTP/1.1 (RFC 9110, RFC 9112) to be asked for a page: one request without a body,
// one answer, and the connection ends.
//
//   Pure: bytes in, bytes out. Bounded: a request has at most `head_bytes_max` bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern::support {

class HttpRequest {
 public:
  static constexpr std::size_t head_bytes_max = 8192;

  enum class Got : std::uint8_t {
    more,     // bytes are missing
    request,  // method() and path() say what is asked for
    wrong,    // status() says what to answer; nothing more is read
  };

  Got feed(std::string_view bytes);

  const std::string& method() const { return method_; }
  const std::string& path() const { return path_; }  // without a query
  int status() const { return status_; }             // 400, 431 or 505

 private:
  Got read_head(std::string_view head);
  Got wrong(int status);

  std::string held_;
  std::string method_;
  std::string path_;
  int status_ = 0;
};

// A whole answer, after which the connection is to be closed. `has_body` false: as to HEAD, the
// head of the same answer.
std::string http_response(int status, std::string_view content_type, std::string_view body,
                          bool has_body = true);

}  // namespace tern::support
