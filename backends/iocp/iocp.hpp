// The poller on Windows completion ports. The mechanism is described at the head of iocp.cpp.
#pragma once

#include <winsock2.h>

#include <atomic>
#include <cassert>
#include <memory>
#include <string_view>
#include <vector>

#include "backends/iocp/overlapped_op.hpp"
#include "backends/iocp/port.hpp"
#include "backends/iocp/slot.hpp"
#include "backends/poller.hpp"
#include "backends/socket/winsock.hpp"

namespace tern::iocp {

class Poller final {
 public:
  using Sockets = winsock::Sockets;
  static constexpr std::string_view name = "iocp";

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
  void refresh();
  bool has_waiting(Channel channel) const;
  Socket socket(Channel channel) const;
  // The kernel reads them when the peer makes room.
  static constexpr bool sends_later() { return true; }
  // There is one receive buffer for all.
  static constexpr bool loans_receive_buffer() { return false; }
  const PollerCounters& counters() const { return counters_; }

 private:
  static constexpr std::uint32_t chunk_slots = 256;

  // The longest datagram there is, and more.
  static constexpr std::size_t look_bytes = 65'536;

  // What became of an operation that was just asked for.
  enum class Begun : std::uint8_t {
    pending,  // its packet tells
    done,     // and no packet comes
    failed,   // and no packet comes
  };

  // Known without the port; next() hands it out, because no call calls back.
  struct Told {
    Channel channel;
    Operation operation;
    std::error_code error;
  };

  // iocp.cpp: slots, orders, turns
  Slot& slot(std::uint32_t index) { return chunks_[index / chunk_slots][index % chunk_slots]; }
  const Slot& slot(std::uint32_t index) const {
    return chunks_[index / chunk_slots][index % chunk_slots];
  }
  bool is_current(Channel channel) const {
    return channel.index < slots_used_ && slot(channel.index).generation == channel.generation;
  }
  Slot& checked(Channel channel) {
    assert(is_current(channel) && "a channel is used after its close completion");
    assert(!slot(channel.index).is(Slot::closing) && "a channel is used after close()");
    return slot(channel.index);
  }
  void change(Slot& slot, Channel channel) {
    if (slot.is(Slot::changed)) return;
    slot.set(Slot::changed);
    changed_.push_back(channel);
  }
  void enqueue(Slot& slot, Channel channel, std::vector<Channel>& queue) {
    if (slot.is(Slot::queued)) return;
    slot.set(Slot::queued);
    queue.push_back(channel);
  }
  void tell(Channel channel, Operation operation, int error) {
    told_.push_back(
        {channel, operation, error == 0 ? std::error_code{} : winsock::error_from(error)});
  }
  void back_off(Slot& slot, Channel channel);
  void end_backoff();
  void start_changed();
  OverlappedOp& begin(Slot& slot, Channel channel, Operation operation);
  Begun begun(Slot& slot, OverlappedOp& op, int error);
  void end(Slot& slot, OverlappedOp& op);
  void release(Channel channel);
  bool finished(const OVERLAPPED_ENTRY& packet, Completion& completion);
  bool finished_closing(Slot& slot, Channel channel, Completion& completion);
  bool next_queued(Completion& completion);
  bool perform_told(const Told& told, Completion& completion);
  bool perform(Slot& slot, Channel channel, Completion& completion);
  void fill(Completion& completion, Operation operation, const Slot& slot, Channel channel) {
    completion.operation = operation;
    completion.owner = slot.owner;
    completion.channel = channel;
    // Fetching the category for a clear error costs more than looking.
    if (completion.error) [[unlikely]]
      completion.error.clear();
    ++counters_.completions;
  }

  // accept.cpp
  void post_accepts(Slot& slot, Channel channel);
  bool post_accept(Slot& slot, Channel channel);
  bool finished_accept(Slot& slot, Channel channel, SOCKET accepted, int error,
                       Completion& completion);
  bool deliver_accept(Slot& slot, Channel channel, SOCKET accepted, Completion& completion);

  // connect.cpp
  bool finished_connect(Slot& slot, Channel channel, int error, Completion& completion);

  // receive.cpp
  void arm(Slot& slot, Channel channel);
  void on_receive_packet(Slot& slot, int error);
  bool perform_receive(Slot& slot, Channel channel, Completion& completion);
  bool receive_stream(Slot& slot, Channel channel, Completion& completion);
  bool receive_datagrams(Slot& slot, Channel channel, Completion& completion);
  bool nothing_received(Slot& slot, Channel channel, int error);
  void exhausted(Slot& slot, Channel channel);

  // send.cpp
  bool finished_send(Slot& slot, Channel channel, std::size_t count, int error,
                     Completion& completion);
  int send_copy(Slot& slot, Channel channel, const Datagram& datagram);

  PollerCounters counters_;
  Time now_{};
  Port port_;
  OverlappedPool overlapped_pool_;
  std::size_t receive_bytes_;
  std::size_t datagram_bytes_;
  std::unique_ptr<std::byte[]> receive_buffer_;
  // Made with the first datagram socket.
  std::unique_ptr<winsock::DatagramBatch> batch_;
  std::unique_ptr<std::byte[]> look_room_;
  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::uint32_t slots_used_ = 0;
  std::uint32_t free_head_ = Channel::no_index;

  std::vector<Channel> changed_;  // to be looked at before the wait
  std::vector<Channel> ready_;    // with something to tell in the next turn ...
  std::vector<Channel> turn_;     // ... and in this one
  std::size_t turn_at_ = 0;
  std::vector<Told> told_;
  std::vector<Told> told_in_turn_;
  std::size_t told_at_ = 0;
  std::vector<Channel> backing_off_;  // for which the kernel had no room
  Time backoff_end_{};
  std::atomic<bool> wake_pending_{false};
};

static_assert(is_poller<Poller>);

}  // namespace tern::iocp
