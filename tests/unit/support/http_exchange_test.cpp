// Requests over HTTP/1.1, as they come and as they should not.
#include "src/support/http_exchange.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/case.hpp"

using tern::support::http_response;
using tern::support::HttpRequest;
using Got = HttpRequest::Got;

namespace {

// 0: a request; -1: bytes are missing.
int status_of(std::string_view text) {
  HttpRequest request;
  const Got got = request.feed(text);
  return got == Got::request ? 0 : got == Got::more ? -1 : request.status();
}

}  // namespace

TEST_CASE("http: a request in any pieces") {
  tern::test::Random random(tern::test::test_seed());
  const std::string text =
      "\r\nGET /metrics?name=x HTTP/1.1\r\nHost: localhost:1\r\nAccept: text/plain\r\n\r\n";
  for (int round = 0; round < 100; ++round) {
    HttpRequest request;
    Got got = Got::more;
    for (std::size_t at = 0; at < text.size();) {
      REQUIRE(got == Got::more);
      const std::size_t step = 1 + random.below(9);
      got = request.feed(std::string_view(text).substr(at, step));
      at += step;
    }
    REQUIRE(got == Got::request);
    CHECK(request.method() == "GET");
    CHECK(request.path() == "/metrics");
  }
}

TEST_CASE("http: what is a request and what is not") {
  CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(status_of("GET / HTTP/1.1\nhOST:x\n\n") == 0);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\n") == -1);
  CHECK(status_of("") == -1);
  for (const char* text : {
           "GET / HTTP/1.1\r\n\r\n",                        // no host
           "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",  // two
           "GET /\r\n\r\n", "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET / / HTTP/1.1\r\nHost: x\r\n\r\n", "GET metrics HTTP/1.1\r\nHost: x\r\n\r\n",
           "G:T / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
           "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\x7f\r\n\r\n",
           "\x16\x03\x01\x02\n\n",  // TLS
       }) {
    CHECK_MESSAGE(status_of(text) == 400, text);
  }
  CHECK(status_of("GET / HTTP/2.0\r\nHost: x\r\n\r\n") == 505);
  CHECK(status_of(std::string(HttpRequest::head_bytes_max, 'x')) == -1);
  CHECK(status_of(std::string(HttpRequest::head_bytes_max + 1, 'x')) == 431);
  CHECK(status_of(std::string(1'000'000, '\n')) == 431);
}

TEST_CASE("http: an answer says how long it is, and is the last") {
  CHECK(http_response(200, "text/plain", "ok\n") ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\nok\n");
  CHECK(http_response(503, "text/plain", "ok\n", false).ends_with("\r\n\r\n"));
  CHECK(http_response(405, "text/plain", "").find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
}
