// The addresses that users write.
#include "tern/url.hpp"

#include <doctest/doctest.h>

#include "tern/endpoint.hpp"

using tern::Scheme;
using tern::Url;

namespace {

Url parsed(std::string_view text) {
  Url url;
  std::string problem;
  REQUIRE_MESSAGE(Url::parse(text, url, problem), problem);
  return url;
}

std::string problem_of(std::string_view text) {
  Url url{Scheme::udp, "untouched", 1, "untouched"};
  std::string problem;
  CHECK_FALSE(Url::parse(text, url, problem));
  CHECK(url.scheme == Scheme::udp);
  CHECK(url.host == "untouched");
  CHECK(url.port == 1);
  CHECK(url.path == "untouched");
  CHECK(problem.find('\n') == std::string::npos);
  return problem;
}

}  // namespace

TEST_CASE("url: each scheme gives its parts") {
  const Url tcp = parsed("tcp://127.0.0.1:7007");
  CHECK(tcp.scheme == Scheme::tcp);
  CHECK(tcp.host == "127.0.0.1");
  CHECK(tcp.port == 7007);
  CHECK(tcp.path.empty());

  const Url name = parsed("TCP://my-host_1.example.org:0");
  CHECK(name.scheme == Scheme::tcp);
  CHECK(name.host == "my-host_1.example.org");
  CHECK(name.port == 0);

  const Url udp = parsed("udp://[::1]:65535");
  CHECK(udp.scheme == Scheme::udp);
  CHECK(udp.host == "::1");
  CHECK(udp.port == 65535);

  CHECK(parsed("tcp://[fe80::1%2]:1").host == "fe80::1%2");
  CHECK(parsed("tcp://*:7007").host == "0.0.0.0");
  CHECK(parsed("tcp://[::]:7007").host == "::");
}

TEST_CASE("url: Unix paths, absolute, relative and abstract") {
  CHECK(parsed("unix:/run/tern.sock").scheme == Scheme::local);
  CHECK(parsed("unix:/run/tern.sock").path == "/run/tern.sock");
  CHECK(parsed("unix:///run/tern.sock").path == "/run/tern.sock");
  CHECK(parsed("unix:tern.sock").path == "tern.sock");
  CHECK(parsed("unix:@tern").path == "@tern");
  CHECK(parsed("unix:/a b:c?d").path == "/a b:c?d");
  CHECK(parsed("unix:" + std::string(tern::Endpoint::path_bytes_max, 'x')).path.size() ==
        tern::Endpoint::path_bytes_max);
}

TEST_CASE("url: what is printed is read back as the same") {
  for (const char* text : {"tcp://127.0.0.1:7007", "udp://[::1]:0", "tcp://localhost:80",
                           "unix:/run/tern.sock", "unix:@tern", "tcp://[fe80::1%2]:7007"}) {
    CAPTURE(text);
    CHECK(parsed(text).to_string() == text);
  }
}

TEST_CASE("url: the problem says what is wrong and what would be right") {
  CHECK(problem_of("") ==
        "the address is empty; write tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or "
        "unix:/PATH");
  CHECK(problem_of("localhost") ==
        "scheme is missing in 'localhost'; write tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT "
        "or unix:/PATH");
  CHECK(problem_of("127.0.0.1:7007").find("scheme is missing") == 0);
  CHECK(problem_of("tcp:/localhost:1").find("scheme is missing") == 0);
  CHECK(problem_of("http://localhost:80") ==
        "unknown scheme 'http' in 'http://localhost:80'; write tcp://HOST:PORT, "
        "tls://HOST:PORT, udp://HOST:PORT or unix:/PATH");
  CHECK(parsed("tls://localhost:7443").scheme == Scheme::tls);
  CHECK(parsed("TLS://localhost:7443").to_string() == "tls://localhost:7443");
  CHECK(problem_of("tls://localhost").find("write tls://HOST:PORT") != std::string::npos);
  CHECK(problem_of("tcp://localhost") ==
        "port is missing in 'tcp://localhost'; write tcp://HOST:PORT");
  CHECK(problem_of("udp://localhost:") ==
        "port is missing in 'udp://localhost:'; write udp://HOST:PORT");
  CHECK(problem_of("tcp://localhost:65536") ==
        "port '65536' is too large in 'tcp://localhost:65536'; write a number from 0 to 65535");
  CHECK(problem_of("tcp://localhost:-1").find("port '-1' is not a number") == 0);
  CHECK(problem_of("tcp://localhost:http").find("port 'http' is not a number") == 0);
  CHECK(problem_of("tcp://localhost:80/").find("something after the port") == 0);
  CHECK(problem_of("tcp://:7007") == "host is missing in 'tcp://:7007'; write tcp://HOST:PORT");
  CHECK(problem_of("tcp://").find("host is missing") == 0);
  CHECK(problem_of("tcp://me@localhost:1").find("a user name") == 0);
  CHECK(problem_of("tcp://local host:1").find("host 'local host' is not a name") == 0);
  CHECK(problem_of("tcp://::1:7007").find("too many colons") == 0);
  CHECK(problem_of("tcp://[::1:7007").find("what is in brackets is not an IPv6 address") == 0);
  CHECK(problem_of("tcp://[127.0.0.1]:7007").find("what is in brackets") == 0);
  CHECK(problem_of("tcp://[]:7007").find("what is in brackets") == 0);
  CHECK(problem_of("tcp://[::1]7007").find("port is missing") == 0);
  CHECK(problem_of("tcp://256.0.0.1:1") ==
        "'256.0.0.1' is not an IPv4 address in 'tcp://256.0.0.1:1'; write four numbers from 0 to "
        "255, such as 127.0.0.1");
  CHECK(problem_of("tcp://127.1:1").find("is not an IPv4 address") != std::string::npos);
  CHECK(problem_of("tcp://" + std::string(254, 'a') + ":1").find("host of 254 letters") == 0);
  CHECK(problem_of("unix:").find("path is missing") == 0);
  CHECK(problem_of("unix:@").find("path is missing") == 0);
  CHECK(problem_of("unix://").find("path is missing") == 0);
  CHECK(problem_of("unix://run/tern.sock").find("a Unix socket has no host") == 0);
  CHECK(problem_of("unix:" + std::string(104, 'x')).find("path of 104 bytes") == 0);
  CHECK(problem_of(std::string_view("unix:a\0b", 8)).find("zero byte") == 0);
  CHECK(problem_of("tcp://a\nb:1").find("host 'a?b'") == 0);
}
