// Many seeds of everything at once: two pollers on a rough network, echo clients that pause, reset
// and vanish, and an echo server that survives them.
//
// Whatever happens, each byte arrives once and in order or not at all, an orderly end means that
// all of them arrived, and when everything is closed nothing is left behind. A failing seed is
// printed; TERN_TEST_SEED replays it.
#include <deque>
#include <map>
#include <memory>

#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

using simulated::Poller;
using Sockets = Poller::Sockets;

// One end of a stream: what it still has to send, in blocks that never move while offered.
struct Talker final : Owner {
  void completed(const Completion&) override { EXPECT_NOTE(false, "a call called back"); }

  Channel channel;
  std::deque<std::unique_ptr<std::string>> output;
  std::size_t output_taken = 0;  // of the first block
  bool is_server = false;
  bool is_open = false;
  bool is_sending = false;
  bool ends_after_output = false;
  bool has_shut_down = false;
  bool has_ended = false;  // the peer has
  bool is_receiving = false;
  bool is_closing = false;
  std::uint64_t pattern = 0;
  std::uint64_t written = 0;
  std::uint64_t received = 0;
};

class PollerSoak {
 public:
  PollerSoak(Case& run, std::size_t steps, Style style)
      : run_(run), steps_(steps), network_(run.seed(), Faults::rough(), style) {}

  // Returns the transcript.
  std::uint64_t play() {
    {
      Poller server{PollerOptions{}};
      Poller client{PollerOptions{}};
      server_ = &server;
      client_ = &client;
      listen();
      for (std::size_t step = 0; step < steps_; ++step) {
        act();
        turn(server);
        turn(client);
      }
      wind_up();
      EXPECT_EQUAL(network_.open_sockets(), 0U);
      EXPECT_EQUAL(network_.pending_operations(), 0U);
    }
    EXPECT_NOTE(finished_ > 0, "no stream came to its end: the soak tests nothing");
    return network_.transcript();
  }

 private:
  Random& random() { return run_.random(); }

  void listen() {
    std::error_code error;
    const Socket socket = Sockets::listen(loopback(7000), {}, error);
    EXPECT(!error);
    network_.faults().attach_error = 0;
    listener_ = server_->attach(socket, &listener_owner_, error);
    network_.faults().attach_error = Faults::rough().attach_error;
    server_->accept(listener_);
  }

  // --- what the clients do

  void act() {
    if (clients_ < 10 && random().one_in(10)) dial();
    if (talkers_.empty()) return;
    auto chosen = talkers_.begin();
    std::advance(chosen, random().below(talkers_.size()));
    Talker& talker = *chosen->second;
    if (talker.is_closing || !talker.is_open) return;
    switch (random().below(20)) {
      case 0:
        if (!random().one_in(5)) return;
        // A server that leaves early resets: its orderly end would say that all was echoed.
        if (talker.is_server || random().one_in(4)) {
          Sockets::reset_on_close(poller_of(talker).socket(talker.channel));
        }
        close(talker);
        return;
      case 1:
        poller_of(talker).stop(talker.channel, Operation::receive);
        talker.is_receiving = false;
        return;
      case 2:
      case 3:
        receive(talker);
        return;
      case 4:
        if (!talker.is_server) talker.ends_after_output = true;
        flush(talker);
        return;
      default:
        if (!talker.is_server && !talker.ends_after_output) write_pattern(talker);
        return;
    }
  }

  void dial() {
    std::error_code error;
    const Socket socket = Sockets::stream(Family::ipv4, {}, {}, error);
    EXPECT(!error);
    Talker* talker = attach(*client_, socket, false);
    if (talker == nullptr) return;
    ++clients_;
    talker->pattern = ++patterns_;
    client_->connect(talker->channel, loopback(7000));
  }

  void write_pattern(Talker& talker) {
    if (talker.output.size() > 4) return;
    const std::size_t bytes = 1 + random().below(random().one_in(4) ? 20'000 : 300);
    write(talker, Pattern(talker.pattern).text(talker.written, bytes));
  }

  // --- both sides

  Poller& poller_of(const Talker& talker) { return talker.is_server ? *server_ : *client_; }

  Talker* attach(Poller& poller, Socket socket, bool is_server) {
    auto talker = std::make_unique<Talker>();
    std::error_code error;
    talker->channel = poller.attach(socket, talker.get(), error);
    talker->is_server = is_server;
    if (error) {
      Sockets::reset_on_close(socket);
      Sockets::close(socket);
      return nullptr;
    }
    Talker* const attached = talker.get();
    // By age, not by address, so that every run visits them in one order.
    talkers_.emplace(++talkers_made_, std::move(talker));
    return attached;
  }

  void receive(Talker& talker) {
    if (talker.is_receiving || talker.has_ended) return;
    talker.is_receiving = true;
    poller_of(talker).receive(talker.channel);
  }

  void write(Talker& talker, std::string text) {
    talker.written += text.size();
    talker.output.push_back(std::make_unique<std::string>(std::move(text)));
    flush(talker);
  }

  void flush(Talker& talker) {
    if (talker.is_closing || talker.is_sending || talker.has_shut_down || !talker.is_open) return;
    if (!talker.output.empty()) {
      std::vector<Slice> slices;
      std::size_t offered = 0;
      for (const auto& block : talker.output) {
        const std::size_t skipped = slices.empty() ? talker.output_taken : 0;
        slices.push_back(bytes_of(*block).subspan(skipped));
        offered += slices.back().size();
      }
      const std::size_t taken = poller_of(talker).send(talker.channel, slices);
      talker.is_sending = taken < offered;
      drop(talker, taken);
    }
    if (talker.output.empty() && talker.ends_after_output) {
      talker.has_shut_down = true;
      poller_of(talker).shutdown_send(talker.channel);
      close_if_finished(talker);
    }
  }

  static void drop(Talker& talker, std::size_t count) {
    while (count > 0) {
      EXPECT_NOTE(!talker.output.empty(), "more was taken than was offered");
      const std::size_t left = talker.output.front()->size() - talker.output_taken;
      const std::size_t step = std::min(left, count);
      count -= step;
      talker.output_taken += step;
      if (step < left) continue;
      talker.output_taken = 0;
      talker.output.pop_front();
    }
  }

  void close(Talker& talker) {
    if (talker.is_closing) return;
    talker.is_closing = true;
    poller_of(talker).close(talker.channel);
  }

  void close_if_finished(Talker& talker) {
    if (!talker.has_ended || !talker.has_shut_down) return;
    if (!talker.is_server) {
      EXPECT_EQUAL(talker.received, talker.written);
      ++finished_;
    }
    close(talker);
  }

  // --- turns

  std::size_t turn(Poller& poller) {
    poller.wait(random().one_in(3) ? Duration::zero() : Duration(1ms));
    Completion completion;
    std::size_t count = 0;
    while (poller.next(completion)) {
      EXPECT_NOTE(++count < 1000, "a turn does not end");
      if (completion.owner == &listener_owner_) {
        take_accept(completion);
      } else {
        take(*static_cast<Talker*>(completion.owner), completion);
      }
    }
    return count;
  }

  void take_accept(const Completion& completion) {
    if (completion.operation == Operation::close) {
      listener_ = {};
      return;
    }
    EXPECT(completion.operation == Operation::accept);
    if (completion.error) return;
    Talker* talker = attach(*server_, completion.accepted, true);
    if (talker == nullptr) return;
    talker->is_open = true;
    receive(*talker);
  }

  void take(Talker& talker, const Completion& completion) {
    EXPECT(completion.channel == talker.channel);
    EXPECT_NOTE(!talker.is_closing || completion.operation == Operation::close,
                "news of a channel that is closed");
    switch (completion.operation) {
      case Operation::connect:
        if (completion.error) return close(talker);
        talker.is_open = true;
        receive(talker);
        write_pattern(talker);
        return;
      case Operation::receive:
        return take_receive(talker, completion);
      case Operation::send:
        EXPECT(talker.is_sending);
        talker.is_sending = false;
        if (completion.error) return close(talker);
        drop(talker, completion.count);
        return flush(talker);
      case Operation::close:
        return forget(talker);
      case Operation::accept:
        EXPECT_NOTE(false, "an accept of a stream");
    }
  }

  void take_receive(Talker& talker, const Completion& completion) {
    EXPECT_NOTE(talker.is_receiving, "a receive that was not ordered");
    if (completion.error) return close(talker);
    if (completion.bytes.empty()) {
      talker.is_receiving = false;
      talker.has_ended = true;
      talker.ends_after_output = true;
      flush(talker);
      if (!talker.is_closing) close_if_finished(talker);
      return;
    }
    if (talker.is_server) {
      talker.received += completion.bytes.size();
      write(talker, std::string(text_of(completion.bytes)));
      return;
    }
    EXPECT_NOTE(Pattern(talker.pattern).matches(talker.received, completion.bytes),
                "the echo is not what was sent");
    talker.received += completion.bytes.size();
    EXPECT(talker.received <= talker.written);
  }

  void forget(const Talker& talker) {
    for (auto each = talkers_.begin(); each != talkers_.end(); ++each) {
      if (each->second.get() != &talker) continue;
      if (!talker.is_server) --clients_;
      talkers_.erase(each);
      return;
    }
    EXPECT_NOTE(false, "a close completion of nobody");
  }

  void wind_up() {
    server_->close(listener_);
    for (auto& [age, talker] : talkers_) close(*talker);
    for (int turns = 0; !talkers_.empty() || listener_.valid(); ++turns) {
      EXPECT_NOTE(turns < 100'000, "not everything closes");
      turn(*server_);
      turn(*client_);
    }
  }

  Case& run_;
  std::size_t steps_;
  Network network_;
  Poller* server_ = nullptr;
  Poller* client_ = nullptr;
  Talker listener_owner_;
  Channel listener_;
  std::map<std::uint64_t, std::unique_ptr<Talker>> talkers_;
  std::uint64_t talkers_made_ = 0;
  std::uint64_t patterns_ = 0;
  std::size_t clients_ = 0;
  std::size_t finished_ = 0;
};

}  // namespace

TEST_CASE("soak of the simulated network") {
  for (const Style style : {Style::readiness, Style::completion}) {
    for (std::size_t round = 0; round < Case::scaled(40); ++round) {
      run_simulated(
          "soak", [&](Case& run) { (void)PollerSoak(run, 3000, style).play(); },
          test_seed() + round);
    }
  }
}

SIMULATION_CASE(a_soak_replays) {
  const auto transcript = [&] {
    Case again(run.name(), "simulated", run.seed());
    return PollerSoak(again, 2000, Style::any).play();
  };
  CHECK(transcript() == transcript());
}

}  // namespace tern::test
