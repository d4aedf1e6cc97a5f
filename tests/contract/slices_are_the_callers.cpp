// Rule 2: offered slices are the caller's; what is taken, and when, is told exactly once.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

SocketOptions tiny_buffers() {
  SocketOptions options;
  options.send_buffer_bytes = 4096;
  options.receive_buffer_bytes = 32 * 1024;
  return options;
}

// Sends a pattern in offers of random slices and spoils all memory as soon as the contract lets it:
// taken bytes at once, the rest after the call or after the completion.
class SpoilingSender {
 public:
  SpoilingSender(Loop& loop, End& end, Random& random)
      : loop_(loop), end_(end), random_(random), pattern_(77) {
    end.then = [this](End&, const Completion& completion) {
      if (completion.operation != Operation::send || completion.error) return;
      EXPECT_NOTE(completion.count <= unfinished_, "more was taken than was offered");
      sent += completion.count;
      spoil();
    };
  }

  // One offer of up to 64 KiB in up to 80 slices, some of them empty.
  void offer() {
    std::size_t bytes = 0;
    std::vector<std::size_t> sizes(1 + random_.below(80));
    for (std::size_t& size : sizes) {
      size = random_.one_in(4) ? 0 : random_.below(1600);
      bytes += size;
    }
    memory_ = pattern_.text(sent, bytes);
    std::vector<Slice> slices;
    std::size_t position = 0;
    for (const std::size_t size : sizes) {
      slices.push_back(bytes_of(std::string_view(memory_).substr(position, size)));
      position += size;
    }
    const std::size_t taken = loop_.offer(end_, slices);
    sent += taken;
    unfinished_ = bytes - taken;
    std::fill_n(memory_.begin(), taken, '!');
    if (!end_.sending || !loop_.poller().sends_later()) spoil();
  }

  bool has_sent(std::span<const std::byte> bytes, std::uint64_t position) const {
    return pattern_.matches(position, bytes);
  }

  std::uint64_t sent = 0;

 private:
  void spoil() { std::fill(memory_.begin(), memory_.end(), '!'); }

  Loop& loop_;
  End& end_;
  Random& random_;
  Pattern pattern_;
  std::string memory_;
  std::size_t unfinished_ = 0;
};

}  // namespace

// A reader that comes and goes makes most offers partial.
RULE_CASE(slices_are_the_callers, slices_are_the_callers) {
  Loop loop;
  auto [client, server] = loop.pair(tiny_buffers());
  server.keep_bytes = false;
  SpoilingSender sender(loop, client, run.random());
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive) return;
    EXPECT_NOTE(sender.has_sent(completion.bytes, end.received_count - completion.bytes.size()),
                "what arrived is not what was offered");
    if (run.random().one_in(3)) loop.stop(end);
  };
  const std::uint64_t total = 4'000'000;
  loop.until(
      [&, &client = client, &server = server] {
        if (!client.sending && sender.sent < total) sender.offer();
        if (!server.receiving && run.random().one_in(2)) loop.receive(server);
        return sender.sent >= total && !client.sending && server.received_count >= sender.sent;
      },
      "all that was taken");
  EXPECT_EQUAL(server.received_count, sender.sent);
  EXPECT_NOTE(client.sends > 0, "no offer was ever partial: the case does not test its rule");
}

// One call looks at slices_max slices; the rest is left and a completion follows.
RULE_CASE(slices_are_the_callers, at_most_so_many_slices) {
  Loop loop;
  auto [client, server] = loop.pair();
  const std::string text = Pattern(run.seed()).text(0, 3 * slices_max);
  std::size_t position = 0;
  client.then = [&](End&, const Completion& completion) { position += completion.count; };
  loop.receive(server);
  loop.until(
      [&, &client = client, &server = server] {
        if (!client.sending && position < text.size()) {
          std::vector<Slice> slices;
          for (std::size_t index = position; index < text.size(); ++index) {
            slices.push_back(bytes_of(std::string_view(text).substr(index, 1)));
          }
          const std::size_t taken = loop.offer(client, slices);
          EXPECT(taken <= slices_max);
          position += taken;
        }
        return server.received_count >= text.size() && !client.sending;
      },
      "every slice");
  EXPECT_EQUAL(server.received, text);
}

// What was offered counts in bytes: slices beyond those looked at that are empty leave nothing to
// be taken, so no completion follows.
RULE_CASE(slices_are_the_callers, empty_slices_beyond_the_last) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  const std::string text = Pattern(run.seed()).text(0, slices_max);
  std::vector<Slice> slices;
  for (std::size_t index = 0; index < text.size(); ++index) {
    slices.push_back(bytes_of(std::string_view(text).substr(index, 1)));
  }
  slices.resize(slices_max + 3);
  const std::size_t taken = loop.offer(client, slices);
  loop.until([&client = client] { return !client.sending; }, "the send");
  loop.write(client, text.substr(taken + client.send_taken));
  loop.until([&, &server = server] { return server.received_count >= text.size(); }, "all of it");
  EXPECT_EQUAL(server.received, text);
  loop.settle();
}

// Sending nothing is legal, is finished at once and is not the end of the stream.
RULE_CASE(slices_are_the_callers, empty_slices_send_nothing) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  EXPECT_EQUAL(loop.offer(client, std::span<const Slice>{}), 0U);
  const std::array<Slice, 3> empty{};
  EXPECT_EQUAL(loop.offer(client, empty), 0U);
  EXPECT(!client.sending);
  loop.settle();
  EXPECT_EQUAL(server.completions, 0U);
  const std::array<Slice, 4> mixed = {Slice{}, bytes_of("a"), Slice{}, bytes_of("b")};
  const std::size_t taken = loop.offer(client, mixed);
  loop.until([&client = client] { return !client.sending; }, "the send");
  loop.write(client, std::string("ab").substr(taken + client.send_taken));
  loop.until([&server = server] { return server.received_count >= 2; }, "two bytes");
  EXPECT_EQUAL(server.received, "ab");
  EXPECT(!server.ended);
}

// While nobody reads, an unfinished send does not make the loop turn.
RULE_CASE(slices_are_the_callers, unfinished_send_is_quiet) {
  Loop loop;
  auto [client, server] = loop.pair(tiny_buffers());
  const std::string block(1 << 20, 'x');
  std::uint64_t sent = 0;
  client.then = [&](End&, const Completion& completion) { sent += completion.count; };
  // Offers on each "try again", as a connection does.
  const auto offer_for = [&, &client = client](Duration duration) {
    const Time end = loop.poller().now() + duration;
    std::size_t turns = 0;
    for (; loop.poller().now() < end; ++turns) {
      EXPECT_NOTE(turns < 10'000, "the kernel takes bytes without end, or the poller spins");
      if (!client.sending) sent += loop.offer(client, block);
      loop.turn(end - loop.poller().now());
    }
    return turns;
  };
  offer_for(50ms);
  const std::size_t turns = offer_for(50ms);
  EXPECT_NOTE(turns <= 10, "turns: " + std::to_string(turns));

  // As soon as somebody does, it goes on.
  server.keep_bytes = false;
  loop.receive(server);
  loop.until([&, &client = client] { return !client.sending; }, "the unfinished send");
  loop.until([&, &server = server] { return server.received_count == sent; }, "what was taken");
}

}  // namespace tern::test
