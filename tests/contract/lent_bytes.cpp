// Rule 2 for bytes in hand: where the poller lends them, they may be sent from where they lie.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

// Passes on what one end receives to others, from the poller's own memory where it lends that, and
// receives again when all of them have taken it.
class Relay {
 public:
  Relay(Loop& loop, End& from, std::vector<End*> to) : loop_(loop), from_(from) {
    from.keep_bytes = false;
    from.then = [this](End&, const Completion& completion) {
      if (completion.operation == Operation::receive) pass_on(completion.bytes);
    };
    for (End* end : to) {
      outputs_.push_back({end, {}, {}});
      end->then = [this, index = outputs_.size() - 1](End&, const Completion& completion) {
        if (completion.operation == Operation::send) sent(outputs_[index], completion.count);
      };
    }
    loop.receive(from);
  }

 private:
  struct Output {
    End* end;
    Slice lent;         // the poller's, until it says that it was sent
    std::string owned;  // ours
  };

  void pass_on(Slice bytes) {
    loop_.stop(from_);
    for (Output& output : outputs_) {
      // A few slices, so that both ways of sending are taken.
      const std::size_t half = bytes.size() % 3 == 0 ? bytes.size() / 2 : 0;
      const std::array<Slice, 2> slices = {bytes.first(half), bytes.subspan(half)};
      const std::size_t first = half == 0 ? 1 : 0;
      const std::size_t taken = loop_.offer(*output.end, std::span(slices).subspan(first));
      output.lent = bytes.subspan(taken);
      if (!loop_.poller().loans_receive_buffer()) own(output);
    }
    receive_again();
  }

  void sent(Output& output, std::size_t count) {
    if (output.owned.empty()) {
      output.lent = output.lent.subspan(count);
      own(output);
    } else {
      output.owned.erase(0, count);
    }
    if (!output.owned.empty()) {
      const std::size_t taken = loop_.offer(*output.end, output.owned);
      if (taken == output.owned.size()) output.owned.clear();
      if (taken > 0) output.owned.erase(0, taken);
    }
    receive_again();
  }

  static void own(Output& output) {
    output.owned = std::string(text_of(output.lent));
    output.lent = {};
  }

  void receive_again() {
    for (const Output& output : outputs_) {
      if (!output.lent.empty() || !output.owned.empty()) return;
    }
    if (!from_.receiving && !from_.ended) loop_.receive(from_);
  }

  Loop& loop_;
  End& from_;
  std::vector<Output> outputs_;
};

}  // namespace

CONTRACT_CASE(bytes_in_hand_are_passed_on) {
  Loop loop;
  if (loop.poller().sends_later() && !loop.poller().loans_receive_buffer()) {
    run.skip("this poller lends no bytes");
  }
  SocketOptions options;
  options.send_buffer_bytes = 4096;
  options.receive_buffer_bytes = 32 * 1024;
  auto [client, server] = loop.pair(options);
  auto [left, left_reader] = loop.pair(options);
  auto [right, right_reader] = loop.pair(options);
  const Relay relay(loop, server, {&left, &right});
  const Pattern pattern(run.seed());
  const std::uint64_t total = 2'000'000;
  for (End* reader : {&left_reader, &right_reader}) {
    reader->keep_bytes = false;
    reader->then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive) return;
      EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
      if (run.random().one_in(3)) loop.stop(end);
    };
  }
  loop.write(client, pattern.text(0, total));
  loop.until(
      [&, &left_reader = left_reader, &right_reader = right_reader] {
        for (End* reader : {&left_reader, &right_reader}) {
          if (!reader->receiving && run.random().one_in(2)) loop.receive(*reader);
        }
        return left_reader.received_count == total && right_reader.received_count == total;
      },
      "both copies");
}

// Many peers that do not read, each with a send from bytes in hand: the others are served.
CONTRACT_CASE(bytes_lent_to_stuck_peers_starve_nobody) {
  PollerOptions poller_options;
  poller_options.receive_bytes = 256 * 1024;  // few buffers, where there are buffers
  Loop loop(poller_options);
  if (!loop.poller().loans_receive_buffer()) run.skip("this poller lends no bytes");
  SocketOptions options;
  options.send_buffer_bytes = 4096;
  options.receive_buffer_bytes = 4096;
  std::vector<End*> servers;
  for (int index = 0; index < 100; ++index) {
    auto [client, server] = loop.pair(options);
    server.keep_bytes = false;
    // One that is full: nothing more can be sent to it.
    server.then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive || end.sending) return;
      const std::array<Slice, 1> slices = {completion.bytes};
      loop.offer(end, slices);
    };
    loop.receive(server);
    servers.push_back(&server);
    loop.write(client, std::string(300'000, 'x'));
  }
  loop.settle();
  auto [client, server] = loop.pair();
  loop.receive(server);
  for (int round = 1; round <= 100; ++round) {
    loop.write(client, "hello");
    loop.until([&, &server = server] { return server.received_count == 5U * round; }, "a greeting");
  }
  const auto is_stuck = [](const End* end) { return end->sending; };
  EXPECT(std::any_of(servers.begin(), servers.end(), is_stuck));
  const std::size_t turns = loop.turns_during(20ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  for (End* end : servers) loop.close_and_forget(*end);
}

}  // namespace tern::test
