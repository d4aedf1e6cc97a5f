// TLS without a network: what the server's side of a handshake costs, and records in and out.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bench/micro/micro.hpp"
#include "src/core/tls/filter.hpp"
#include "tern/process.hpp"
#include "tern/tls_certificates.hpp"

namespace tern::micro {
namespace {

// One end: what it has written waits in `output` for the other.
struct End {
  End(TlsContext& context, const std::string& peer_name) : filter(context.make_filter(peer_name)) {}

  tls::Result shake(std::vector<std::byte>& input) {
    tls::Wire wire{.input = input, .input_ended = false, .output = output};
    const tls::Result result = filter->handshake(wire);
    input.erase(input.begin(), input.end() - static_cast<std::ptrdiff_t>(wire.input.size()));
    return result;
  }

  std::unique_ptr<tls::Filter> filter;
  std::vector<std::byte> output;
};

struct Contexts {
  Contexts(TlsKeyKind key, TlsVersion version, bool resume) {
    server = make_tls_server({.identities = {make_tls_leaf({.hosts = {"localhost"}, .key = key})}});
    client = make_tls_client({.verify = false, .version_max = version, .resume = resume});
  }
  std::shared_ptr<TlsContext> server;
  std::shared_ptr<TlsContext> client;
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "tls: %s\n", what);
  std::abort();
}

// One handshake, and a byte each way, which brings a client of TLS 1.3 its ticket. Returns what
// processor time the server's side took, its filter's making and end included; of this process, so
// that others on the machine are not measured.
Duration shake_hands(Contexts& contexts, bool resumed) {
  End client(*contexts.client, "localhost");
  Duration from = processor_time();
  auto server = std::make_unique<End>(*contexts.server, "");
  Duration taken = processor_time() - from;
  tls::Result client_result = tls::Result::want_input;
  tls::Result server_result = tls::Result::want_input;
  while (client_result != tls::Result::done || server_result != tls::Result::done) {
    if (client_result != tls::Result::done) client_result = client.shake(server->output);
    from = processor_time();
    if (server_result != tls::Result::done) server_result = server->shake(client.output);
    taken += processor_time() - from;
    if (client_result == tls::Result::failed || server_result == tls::Result::failed) {
      give_up("a handshake failed");
    }
  }
  std::array<std::byte, 64> room{};
  std::size_t count = 0;
  tls::Wire rest{.input = server->output, .input_ended = false, .output = client.output};
  client.filter->read(rest, room, count);
  if (server->filter->resumed() != resumed) give_up("a handshake was not of the kind to measure");
  from = processor_time();
  server.reset();
  return taken + (processor_time() - from);
}

template <TlsKeyKind key, TlsVersion version, bool resumed>
void handshake(benchmark::State& state) {
  Contexts contexts(key, version, resumed);
  if (resumed) shake_hands(contexts, false);
  for (auto _ : state) {
    const std::chrono::duration<double> taken = shake_hands(contexts, resumed);
    state.SetIterationTime(taken.count());
  }
}

// Bytes of plaintext through a record: sealed by one end and opened by the other.
template <std::size_t bytes>
void record(benchmark::State& state) {
  Contexts contexts(TlsKeyKind::ecdsa_p256, TlsVersion::tls1_3, false);
  End client(*contexts.client, "localhost");
  End server(*contexts.server, "");
  std::vector<std::byte> plaintext(bytes);
  tls::Result result = tls::Result::want_input;
  while (result != tls::Result::done) {
    client.shake(server.output);
    result = server.shake(client.output);
  }
  for (auto _ : state) {
    std::size_t count = 0;
    tls::Wire out{.input = {}, .input_ended = false, .output = client.output};
    client.filter->write(out, plaintext, count);
    tls::Wire in{.input = client.output, .input_ended = false, .output = server.output};
    server.filter->read(in, plaintext, count);
    if (count != bytes) give_up("a record did not come through whole");
    client.output.clear();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

[[maybe_unused]] const bool added = [] {
  if (tls_engine().empty()) return false;
  using enum TlsKeyKind;
  using enum TlsVersion;
  add("tls/handshake_p256", handshake<ecdsa_p256, tls1_3, false>)->UseManualTime();
  add("tls/handshake_rsa", handshake<rsa_2048, tls1_3, false>)->UseManualTime();
  add("tls/handshake_resumed", handshake<ecdsa_p256, tls1_3, true>)->UseManualTime();
  add("tls/handshake_rsa_1_2", handshake<rsa_2048, tls1_2, false>)->UseManualTime();
  add("tls/handshake_resumed_1_2", handshake<rsa_2048, tls1_2, true>)->UseManualTime();
  add("tls/record_64", record<64>);
  add("tls/record_16k", record<16 * 1024>);
  return true;
}();

}  // namespace
}  // namespace tern::micro
