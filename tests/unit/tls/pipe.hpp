// Two TLS filters that talk to each other in memory.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "src/core/tls/filter.hpp"
#include "tests/support/tls.hpp"
#include "tests/support/values.hpp"

namespace tern::test {

using tls::Result;
using tls::Wire;

// One end: its filter, and the ciphertext that waits for it.
struct TlsSide {
  explicit TlsSide(TlsContext& context, const std::string& peer_name = {})
      : filter(context.make_filter(peer_name)) {}

  // Offers at most `most` bytes of the inbox to `call`, and takes off what was consumed.
  template <class Call>
  Result with_wire(std::size_t most, const Call& call) {
    const std::size_t offered = std::min(most, inbox.size());
    Wire wire{.input = tls::Bytes(inbox).first(offered),
              .input_ended = ended && offered == inbox.size(),
              .output = outbox,
              .output_bytes_max = output_bytes_max};
    const Result result = call(wire);
    inbox.erase(inbox.begin(),
                inbox.begin() + static_cast<std::ptrdiff_t>(offered - wire.input.size()));
    return result;
  }

  Result handshake(std::size_t most = SIZE_MAX) {
    return with_wire(most, [&](Wire& wire) { return filter->handshake(wire); });
  }

  // Reads what there is; it is added to `received`.
  Result read(std::size_t room = 64 * 1024, std::size_t most = SIZE_MAX) {
    std::vector<std::byte> into(room);
    return with_wire(most, [&](Wire& wire) {
      std::size_t count = 0;
      const Result result = filter->read(wire, into, count);
      received.append(reinterpret_cast<const char*>(into.data()), count);
      return result;
    });
  }

  Result write(std::string_view text, std::size_t& count) {
    return with_wire(0, [&](Wire& wire) { return filter->write(wire, bytes_of(text), count); });
  }
  void write_all(std::string_view text) {
    std::size_t count = 0;
    REQUIRE(write(text, count) == Result::done);
    REQUIRE(count == text.size());
  }
  Result end() {
    return with_wire(0, [&](Wire& wire) { return filter->end(wire); });
  }

  std::unique_ptr<tls::Filter> filter;
  std::vector<std::byte> inbox;
  std::vector<std::byte> outbox;
  std::size_t output_bytes_max = SIZE_MAX;
  bool ended = false;
  std::string received;
};

inline void carry(TlsSide& from, TlsSide& to) {
  to.inbox.insert(to.inbox.end(), from.outbox.begin(), from.outbox.end());
  from.outbox.clear();
}

struct TlsPipe {
  explicit TlsPipe(const TlsServerOptions& server_options = test_server_options(),
                   const TlsClientOptions& client_options = test_client_options())
      : TlsPipe(*make_tls_server(server_options), *make_tls_client(client_options)) {}
  TlsPipe(TlsContext& server_context, TlsContext& client_context,
          const std::string& peer_name = "localhost")
      : server(server_context), client(client_context, peer_name) {}

  // Until both are done or one of them cannot be; returns what the last steps said.
  struct Outcome {
    Result client = Result::want_input;
    Result server = Result::want_input;
  };
  Outcome handshake(std::size_t most = SIZE_MAX) {
    Outcome outcome;
    for (int step = 0; step < 100'000; ++step) {
      if (outcome.client == Result::want_input) outcome.client = client.handshake(most);
      carry(client, server);
      if (outcome.server == Result::want_input) outcome.server = server.handshake(most);
      carry(server, client);
      const bool waits =
          outcome.client == Result::want_input || outcome.server == Result::want_input;
      const bool has_failed = outcome.client == Result::failed || outcome.server == Result::failed;
      if (!waits || (has_failed && server.inbox.empty() && client.inbox.empty())) break;
    }
    return outcome;
  }
  void open() {
    const Outcome outcome = handshake();
    REQUIRE(outcome.client == Result::done);
    REQUIRE(outcome.server == Result::done);
  }

  TlsSide server;
  TlsSide client;
};

}  // namespace tern::test
