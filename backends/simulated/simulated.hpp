// The contract without a kernel: a poller on a network in memory, with seeded faults and virtual
// time. Read this first: it is what every backend means, and nothing of how a kernel does it.
//
// Object  The network (network.hpp) plays the kernel. It owns streams as two pipes, listeners with
//         their queues, datagram sockets and the clock. A slot of the poller's table holds the
//         object, the orders that stand for it and, between send() and its completion, what is left
//         of the caller's slices. When an object changes, it puts its slot into the ready list.
// Start   An order is a flag in the slot, and the slot goes to the ready list, in case the order
//         can be carried out at once. connect() and close() start something on the agenda of the
//         network. send() takes what there is room for (readiness style), or part of it or nothing
//         (completion style), by the seed.
// Finish  wait() turns the ready list into the turn: one entry for what each channel can finish. A
//         late or shuffled entry is a choice of the seed. next() carries out one entry after the
//         other, receives into memory of exactly the right size, and frees that at the following
//         next(), so that a byte looked at too late is seen by the address sanitizer.
// Wake    An atomic flag, and a semaphore for a wait that sleeps. Waits only sleep where
//         Network::allow_blocking_waits() says so; else time is virtual, and a wait moves the clock
//         to what comes first: the next thing on the agenda, or its limit. It hands over to another
//         poller of the network when that one has something to do, by returning with nothing. Every
//         wait takes at least `wait_cost`, so that polling without a limit sees time pass.
// Limits  One thread, and no real time. There is no bandwidth, only latency; segments are not lost
//         but delayed. The clock is exact, so tests that need an inexact one use early_return.
//         The contract's REQUIRES are checked in every build and end the program with one line.
//         Source: the contract, backends/poller.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <semaphore>
#include <string_view>
#include <vector>

#include "backends/common/slot_table.hpp"
#include "backends/poller.hpp"
#include "backends/simulated/network.hpp"

namespace tern::simulated {

class Poller final : private Participant {
 public:
  static constexpr std::string_view name = "simulated";
  using Sockets = simulated::Sockets;

  // On the network that is current now.
  explicit Poller(const PollerOptions& options);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  void accept(Channel channel);
  void receive(Channel channel);
  void stop(Channel channel, Operation operation);
  void connect(Channel channel, const Endpoint& endpoint);
  std::size_t send(Channel channel, std::span<const Slice> slices);
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void shutdown_send(Channel channel);
  void close(Channel channel);

  void wait(Duration limit);
  bool next(Completion& completion);
  void wake();

  Time now() const { return now_; }
  void refresh() {}  // virtual time stands still between waits
  bool has_waiting(Channel channel) const;
  Socket socket(Channel channel) const;
  bool sends_later() const { return simulation_.completes(); }
  static constexpr bool loans_receive_buffer() { return false; }
  const PollerCounters& counters() const { return counters_; }

 private:
  static constexpr Duration wait_cost = std::chrono::microseconds(10);
  static constexpr std::size_t accepts_per_turn_max = 16;  // of one listener

  struct Slot {
    Owner* owner = nullptr;
    std::uint32_t generation = 0;
    std::uint32_t next_free = Channel::no_index;
    SocketKind kind = SocketKind::none;
    std::shared_ptr<Object> object;
    // Orders.
    bool accepts = false;
    bool receives = false;
    bool connects = false;
    bool sends = false;  // an unfinished send
    bool closes = false;
    // What was.
    bool input_is_over = false;  // the end or an error was delivered
    bool has_shut_down = false;
    // The ready list.
    bool is_queued = false;
    bool is_late = false;   // kept back until an entry of the agenda says otherwise
    bool was_late = false;  // not kept back a second time
    // Of an unfinished send: why it failed, and what the caller still offers.
    std::error_code send_error;
    std::vector<Slice> slices;
    std::deque<std::error_code> refused;  // datagrams, not yet reported

    bool is_closing() const { return closes; }
    std::uint32_t& link() { return next_free; }
  };
  struct Entry {
    Channel channel;
    Operation operation;
  };

  void changed(std::uint32_t index) override;
  bool wants_turn() const override;
  Time idle_until() const override { return idle_until_; }
  void pass_over() override;
  std::size_t pending_operations() const override;

  Slot& checked(Channel channel);
  Stream& stream_of(Slot& slot, Stream::State state);
  std::size_t send_ready(Slot& slot, std::span<const Slice> slices, std::size_t most);
  std::size_t send_datagrams(Slot& slot, std::span<const Datagram> datagrams, std::size_t most);
  void finish_closing(Slot& slot);

  bool take_wake();
  bool wait_for_turn(Duration limit);
  bool yields_to_others() const;
  Time others_idle_until() const;
  bool sleep_until_wake(Duration virtual_limit);
  void gather();
  void gather(Channel channel, Slot& slot);
  bool keep_back(std::uint32_t index, Slot& slot);

  bool finish(Operation operation, Slot& slot, Completion& completion);
  bool finish_accept(Slot& slot, Completion& completion);
  bool finish_connect(Slot& slot, Completion& completion);
  bool finish_receive(Slot& slot, Completion& completion);
  bool finish_receive_datagrams(Slot& slot, Completion& completion);
  bool finish_send(Slot& slot, Completion& completion);
  bool finish_close(Slot& slot, Completion& completion);
  std::span<std::byte> fresh_buffer(std::size_t bytes);
  void spoil_buffer();

  Network& network_;
  Simulation& simulation_;
  PollerOptions options_;
  PollerCounters counters_;
  Time now_;
  SlotTable<Slot> slots_;
  std::vector<std::uint32_t> ready_;  // slots that may have something to finish
  std::vector<Entry> turn_;
  std::size_t turn_at_ = 0;

  // Valid from one next() to the following one.
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::vector<Datagram> received_;

  // How the pollers of one network take turns; see wait_for_turn().
  bool was_busy_ = false;
  bool was_passed_over_ = false;
  Time idle_until_ = Time::max();

  std::atomic<bool> wake_is_pending_{false};
  std::counting_semaphore<> bell_{0};
  // Agenda entries of ours hold it weakly: they may come due after the poller is gone.
  std::shared_ptr<Poller*> self_;
};

static_assert(is_poller<Poller>);

}  // namespace tern::simulated
