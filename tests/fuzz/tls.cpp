// A TLS filter that is fed anything: a peer that is out to break it.
//
// The first byte chooses the plan, the rest is what the peer says: to a server or to a client, from
// the beginning, or after a good handshake with a peer of our own, whose ciphertext the input then
// changes, drops and repeats. Whatever comes, output stays bounded and a dead filter stays dead.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "src/core/tls/filter.hpp"
#include "tests/support/tls.hpp"

namespace {

using tern::tls::Result;
using Bytes = std::vector<std::byte>;

constexpr std::size_t output_bytes_most = 64 * 1024;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_dead(Result result) { return result == Result::failed || result == Result::truncated; }

struct End {
  explicit End(std::unique_ptr<tern::tls::Filter> of_filter) : filter(std::move(of_filter)) {}

  Result step(std::size_t room) {
    tern::tls::Wire wire{.input = input, .input_ended = input_ended, .output = output};
    Result result = Result::want_input;
    if (!open) {
      result = filter->handshake(wire);
      open = result == Result::done;
    } else {
      Bytes plaintext(room);
      std::size_t count = 0;
      result = filter->read(wire, plaintext, count);
      require(count <= room);
    }
    input.erase(input.begin(), input.end() - static_cast<std::ptrdiff_t>(wire.input.size()));
    require(output.size() <= output_bytes_most);
    return result;
  }

  std::unique_ptr<tern::tls::Filter> filter;
  Bytes input;
  Bytes output;
  bool input_ended = false;
  bool open = false;
};

void carry(End& from, End& to) {
  to.input.insert(to.input.end(), from.output.begin(), from.output.end());
  from.output.clear();
}

// The input in pieces of changing size, then the end.
void feed(End& end, const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::size_t fed = 0;
  Result result = Result::want_input;
  for (int steps = 0; steps < 2000 && !is_dead(result) && result != Result::ended; ++steps) {
    if (result == Result::want_input && fed == size && end.input_ended) break;
    if (result == Result::want_input) {
      const std::size_t piece = std::min<std::size_t>(size - fed, 1 + size / 3);
      end.input.insert(end.input.end(), bytes + fed, bytes + fed + piece);
      fed += piece;
      end.input_ended = fed == size;
    }
    result = end.step(1 + (fed % 700));
  }
  if (is_dead(result)) {
    require(static_cast<bool>(end.filter->error()));
    require(!end.filter->error().message().empty());
    require(is_dead(end.step(100)));
  }
}

// Ciphertext of a good peer, with the input's changes: pairs of a place and a value.
void tamper(Bytes& stream, const std::uint8_t* data, std::size_t size) {
  for (std::size_t i = 0; i + 2 < size && !stream.empty(); i += 3) {
    const std::size_t place = (data[i] * 256U + data[i + 1]) % stream.size();
    const auto at = stream.begin() + static_cast<std::ptrdiff_t>(place);
    if (data[i + 2] == 0) {
      stream.resize(place);
    } else if (data[i + 2] == 1) {
      stream.insert(stream.end(), stream.begin(), at);
    } else {
      *at ^= static_cast<std::byte>(data[i + 2]);
    }
    if (stream.size() > output_bytes_most) stream.resize(output_bytes_most);
  }
}

struct Contexts {
  Contexts() {
    tern::TlsServerOptions options = tern::test::test_server_options();
    options.protocols = {"echo", "chat"};
    options.client_certificates = tern::TlsClientCertificates::optional;
    options.client_authorities_pem = tern::test::test_authority().certificate_pem;
    server = tern::make_tls_server(options);
    tern::TlsClientOptions client_options = tern::test::test_client_options();
    client_options.protocols = {"chat"};
    client = tern::make_tls_client(client_options);
    client_options.version_max = tern::TlsVersion::tls1_2;
    old_client = tern::make_tls_client(client_options);
  }
  std::shared_ptr<tern::TlsContext> server;
  std::shared_ptr<tern::TlsContext> client;
  std::shared_ptr<tern::TlsContext> old_client;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Contexts contexts;
  if (size == 0) return 0;
  const unsigned plan = data[0];
  ++data;
  --size;
  End server(contexts.server->make_filter({}));
  End client(((plan & 4U) != 0 ? contexts.old_client : contexts.client)->make_filter("localhost"));
  if ((plan & 1U) == 0) {
    End& target = (plan & 2U) == 0 ? server : client;
    if (&target == &client) (void)client.step(1);
    feed(target, data, size);
    return 0;
  }
  // So many flights are as they should be.
  const unsigned good_flights = (plan >> 3U) % 5;
  for (unsigned flight = 0; flight < good_flights; ++flight) {
    End& speaker = flight % 2 == 0 ? client : server;
    if (!speaker.open) (void)speaker.step(1);
    carry(speaker, &speaker == &client ? server : client);
  }
  End& target = good_flights % 2 == 0 ? server : client;
  End& speaker = &target == &server ? client : server;
  if (!speaker.open) (void)speaker.step(1);
  if (speaker.open) {
    tern::tls::Wire wire{.input = {}, .input_ended = false, .output = speaker.output};
    std::size_t count = 0;
    (void)speaker.filter->write(wire, std::as_bytes(std::span("some words")), count);
  }
  Bytes stream = std::move(speaker.output);
  tamper(stream, data, size);
  feed(target, reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  return 0;
}
