// Endpoints: reading and writing addresses. Sources: RFC 4291, RFC 5952, RFC 6874.
#include "tern/endpoint.hpp"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include "tests/support/case.hpp"

using tern::Endpoint;
using tern::Family;

static_assert(std::is_trivially_copyable_v<Endpoint>);

namespace {

// Reads and writes again.
std::string rewritten(const std::string& address, std::uint16_t port = 80) {
  const auto endpoint = Endpoint::from_address(address, port);
  return endpoint ? endpoint->to_string() : "refused";
}

}  // namespace

TEST_CASE("endpoint: IPv4") {
  CHECK(rewritten("127.0.0.1", 7007) == "127.0.0.1:7007");
  CHECK(rewritten("0.0.0.0", 0) == "0.0.0.0:0");
  CHECK(rewritten("255.255.255.255", 65535) == "255.255.255.255:65535");
  const Endpoint endpoint = *Endpoint::from_address("192.0.2.33", 80);
  CHECK(endpoint.family() == Family::ipv4);
  CHECK(endpoint.is_ip());
  CHECK(endpoint.port() == 80);
  CHECK(endpoint.address()[0] == 192);
  CHECK(endpoint.address()[3] == 33);
  CHECK(endpoint == Endpoint::ipv4({192, 0, 2, 33}, 80));
  CHECK(endpoint != endpoint.with_port(81));
  CHECK(endpoint.with_port(81).port() == 81);
  CHECK(endpoint.path().empty());
}

TEST_CASE("endpoint: what is no IPv4 address") {
  for (const char* text :
       {"",          " ",          "1",        "1.2",       "1.2.3",        "1.2.3.",
        ".1.2.3",    "1..2.3",     "1.2.3.4.", "1.2.3.4.5", "256.0.0.1",    "1.2.3.256",
        "999.1.1.1", "1000.1.1.1", "01.2.3.4", "1.2.3.04",  "0x7f.0.0.1",   "1.2.3.-4",
        "1.2.3.+4",  "1.2.3.4 ",   " 1.2.3.4", "1.2.3.a",   "127.0.0.1:80", "a.b.c.d",
        "1.2.3.4\n", "localhost",  "1.2.3.4%1"}) {
    CAPTURE(text);
    CHECK(rewritten(text) == "refused");
  }
}

TEST_CASE("endpoint: IPv6 is written as RFC 5952 says") {
  // The examples of its section 4 and 5.
  CHECK(rewritten("2001:0db8::0001") == "[2001:db8::1]:80");
  CHECK(rewritten("2001:db8:0:0:0:0:2:1") == "[2001:db8::2:1]:80");
  CHECK(rewritten("2001:db8::0:1") == "[2001:db8::1]:80");
  CHECK(rewritten("2001:db8:0:1:1:1:1:1") == "[2001:db8:0:1:1:1:1:1]:80");  // one group stays
  CHECK(rewritten("2001:0:0:1:0:0:0:1") == "[2001:0:0:1::1]:80");           // the longer run
  CHECK(rewritten("2001:db8:0:0:1:0:0:1") == "[2001:db8::1:0:0:1]:80");     // the first of two
  CHECK(rewritten("2001:DB8:AAAA::FfFf") == "[2001:db8:aaaa::ffff]:80");
  CHECK(rewritten("::") == "[::]:80");
  CHECK(rewritten("0:0:0:0:0:0:0:0") == "[::]:80");
  CHECK(rewritten("::1") == "[::1]:80");
  CHECK(rewritten("1::") == "[1::]:80");
  CHECK(rewritten("1:0:0:0:0:0:0:0") == "[1::]:80");
  CHECK(rewritten("0:0:0:0:0:0:0:1") == "[::1]:80");
  CHECK(rewritten("1:2:3:4:5:6:7:8") == "[1:2:3:4:5:6:7:8]:80");
  CHECK(rewritten("::2:3:4:5:6:7:8") == "[0:2:3:4:5:6:7:8]:80");
  CHECK(rewritten("1:2:3:4:5:6:7::") == "[1:2:3:4:5:6:7:0]:80");
  CHECK(rewritten("0:0:3:4:5:6:0:0") == "[::3:4:5:6:0:0]:80");
  CHECK(rewritten("::ffff:192.0.2.1") == "[::ffff:192.0.2.1]:80");
  CHECK(rewritten("::ffff:c000:201") == "[::ffff:192.0.2.1]:80");
  CHECK(rewritten("64:ff9b::192.0.2.33") == "[64:ff9b::c000:221]:80");
  CHECK(rewritten("1:2:3:4:5:6:1.2.3.4") == "[1:2:3:4:5:6:102:304]:80");
}

TEST_CASE("endpoint: what is no IPv6 address") {
  for (const char* text : {":",
                           ":::",
                           "1",
                           "1:2",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8:",
                           ":1:2:3",
                           "1:2:3:4:5:6:7:",
                           "1::2::3",
                           "::1::",
                           "1:::2",
                           "12345::",
                           "g::",
                           "::-1",
                           "::+1",
                           ":: 1",
                           "1:2:3:4:5:6:7::8",
                           "::1:2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "::1.2.3.256",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "[::1]",
                           "::1]",
                           "0x1::",
                           "::1/64"}) {
    CAPTURE(text);
    CHECK(rewritten(text) == "refused");
  }
}

TEST_CASE("endpoint: zones are numbers") {
  CHECK(rewritten("fe80::1%2") == "[fe80::1%2]:80");
  CHECK(rewritten("fe80::1%4294967295") == "[fe80::1%4294967295]:80");
  CHECK(rewritten("fe80::1%0") == "[fe80::1]:80");
  CHECK(Endpoint::from_address("fe80::1%2", 1)->scope() == 2);
  CHECK(*Endpoint::from_address("fe80::1%2", 1) != *Endpoint::from_address("fe80::1%3", 1));
  for (const char* text : {"fe80::1%", "fe80::1%eth0", "fe80::1%4294967296", "fe80::1%-1",
                           "fe80::1%1%1", "%1", "fe80::1%1 "}) {
    CAPTURE(text);
    CHECK(rewritten(text) == "refused");
  }
}

TEST_CASE("endpoint: any address of RFC 5952's form reads back as the same") {
  tern::test::Random random(tern::test::test_seed());
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 16> address{};
    for (std::size_t group = 0; group < 8; ++group) {
      if (random.one_in(2)) continue;  // zeros, to be shortened
      address[2 * group] = static_cast<std::uint8_t>(random.one_in(2) ? 0 : random.below(256));
      address[2 * group + 1] = static_cast<std::uint8_t>(random.below(256));
    }
    const Endpoint endpoint = Endpoint::ipv6(address, 1);
    const std::string text = endpoint.to_string();
    REQUIRE(text.size() > 5);
    const auto read = Endpoint::from_address(text.substr(1, text.find(']') - 1), 1);
    REQUIRE_MESSAGE(read.has_value(), text);
    REQUIRE_MESSAGE(*read == endpoint, text);
    REQUIRE_MESSAGE(read->to_string() == text, text);
    REQUIRE(text.find(":::") == std::string::npos);
  }
}

TEST_CASE("endpoint: random text is refused or read, never more") {
  tern::test::Random random(tern::test::test_seed());
  constexpr std::string_view letters = "0123456789abcdefFG:::....% -/";
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (std::size_t size = random.below(24); text.size() < size;) {
      text += letters[random.below(letters.size())];
    }
    const auto endpoint = Endpoint::from_address(text, 1);
    if (!endpoint) continue;
    const std::string written = endpoint->to_string();
    const std::size_t bracket = written.find(']');
    const std::string address = bracket == std::string::npos ? written.substr(0, written.find(':'))
                                                             : written.substr(1, bracket - 1);
    REQUIRE_MESSAGE(Endpoint::from_address(address, 1) == endpoint, text);
  }
}

TEST_CASE("endpoint: loopback and any") {
  CHECK(Endpoint::from_address("127.0.0.1", 1)->is_loopback());
  CHECK(Endpoint::from_address("127.255.255.254", 1)->is_loopback());
  CHECK_FALSE(Endpoint::from_address("128.0.0.1", 1)->is_loopback());
  CHECK(Endpoint::from_address("::1", 1)->is_loopback());
  CHECK_FALSE(Endpoint::from_address("::2", 1)->is_loopback());
  CHECK_FALSE(Endpoint::from_address("::", 1)->is_loopback());
  CHECK(Endpoint::local("/run/x")->is_loopback());
  CHECK_FALSE(Endpoint().is_loopback());
  CHECK(Endpoint::from_address("0.0.0.0", 1)->is_any());
  CHECK(Endpoint::from_address("::", 1)->is_any());
  CHECK_FALSE(Endpoint::from_address("::1", 1)->is_any());
  CHECK_FALSE(Endpoint::local("/run/x")->is_any());
  CHECK_FALSE(Endpoint().is_any());
}

TEST_CASE("endpoint: Unix paths") {
  const Endpoint path = *Endpoint::local("/run/tern.sock");
  CHECK(path.family() == Family::local);
  CHECK_FALSE(path.is_ip());
  CHECK(path.path() == "/run/tern.sock");
  CHECK(path.to_string() == "/run/tern.sock");
  CHECK(Endpoint::local("@abstract")->to_string() == "@abstract");
  CHECK(path == *Endpoint::local("/run/tern.sock"));
  CHECK(path != *Endpoint::local("/run/tern.soc"));
  CHECK_FALSE(Endpoint::local("").has_value());
  CHECK(Endpoint::local(std::string(Endpoint::path_bytes_max, 'x')).has_value());
  CHECK_FALSE(Endpoint::local(std::string(Endpoint::path_bytes_max + 1, 'x')).has_value());
  CHECK(Endpoint::unnamed_local().family() == Family::local);
  CHECK(Endpoint::unnamed_local().path().empty());
  CHECK(Endpoint::unnamed_local().to_string() == "unnamed");
  CHECK(Endpoint::unnamed_local() != path);
  CHECK(Endpoint().to_string() == "-");
  CHECK(Endpoint() == Endpoint());
  CHECK(Endpoint() != Endpoint::ipv4({0, 0, 0, 0}, 0));
}
