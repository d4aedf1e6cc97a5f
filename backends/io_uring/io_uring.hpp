// The poller on Linux io_uring. The mechanism is described at the head of io_uring.cpp.
#pragma once

#include <atomic>
#include <cassert>
#include <memory>
#include <string_view>
#include <vector>

#include "backends/common/completion_queue.hpp"
#include "backends/common/error_class.hpp"
#include "backends/common/slot_queues.hpp"
#include "backends/common/slot_table.hpp"
#include "backends/io_uring/buffers.hpp"
#include "backends/io_uring/mark.hpp"
#include "backends/io_uring/ring.hpp"
#include "backends/io_uring/slot.hpp"
#include "backends/io_uring/sockets.hpp"
#include "backends/poller.hpp"
#include "backends/socket/posix.hpp"

namespace tern::io_uring {

class Poller final : private SlotQueues<Slot> {
 public:
  using Sockets = io_uring::Sockets;
  static constexpr std::string_view name = "io_uring";

  explicit Poller(const PollerOptions& options);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  void accept(Channel channel) { order(channel, Operation::accept); }
  void receive(Channel channel) { order(channel, Operation::receive); }
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
  // The kernel reads them when it is entered, or when the peer makes room.
  static constexpr bool sends_later() { return true; }
  static constexpr bool loans_receive_buffer() { return true; }
  const PollerCounters& counters() const { return counters_; }

 private:
  // io_uring.cpp: orders
  void order(Channel channel, Operation operation);
  void queue_completion(Channel channel, Operation operation, int errno_value) {
    queue_.push({channel, operation, posix::error_from(errno_value)});
  }
  void drop_held(Slot& slot);
  Buffers& buffers_of(const Slot& slot) {
    return slot.kind == SocketKind::datagram ? datagram_buffers_ : stream_buffers_;
  }

  // send.cpp
  Transfer& transfer_of(Slot& slot);
  void drop_transfer(Slot& slot);
  const std::byte* lend(Slot& slot, const std::byte* bytes);

  // submit.cpp: orders become entries
  bool submit_changes();
  void submit(Slot& slot, Channel channel);
  void start(Slot& slot, Channel channel, Operation operation);
  void cancel(const Slot& slot, Channel channel, Operation operation);
  bool is_flooded(const Slot& slot, Operation operation) const;
  void watch_wakes();
  void copy_out(Slot& slot);
  void end_backoff();
  std::error_code register_buffers();
  void move_to_this_thread(Duration limit);
  void rearm(Slot& slot, Channel channel);

  // finish.cpp: results become completions
  bool finished(const Result& result, Completion& completion);
  bool finished_accept(Slot& slot, Channel channel, int value, Completion& completion);
  bool finished_connect(Slot& slot, Channel channel, int value, Completion& completion);
  bool finished_receive(Slot& slot, Channel channel, const Result& result, Completion& completion);
  bool finished_send(Slot& slot, Channel channel, int value, Completion& completion);
  bool finished_closing(Slot& slot, Channel channel, const Result& result, Completion& completion);
  bool next_queued(Completion& completion);
  bool next_queued_completion(Completion& completion);
  bool perform(Slot& slot, Channel channel, Completion& completion);
  void deliver(Slot& slot, Channel channel, Held held, Completion& completion);
  void deliver_datagrams(Slot& slot, Channel channel, Completion& completion);
  void deliver_accept(const Slot& slot, Channel channel, int value, Completion& completion);
  void release_current();
  void on_wake(const Result& result);

  // datagrams.cpp
  Datagram datagram_in(const std::byte* memory, int value) const;

  PollerCounters counters_;
  Time now_{};
  std::uint32_t receive_bytes_;
  bool has_receive_limit_ = true;  // until the kernel says otherwise
  Ring ring_;
  Buffers stream_buffers_;
  Buffers datagram_buffers_;
  Backlog backlog_;
  SlotTable<Slot> slots_{0, index_max};
  std::uint16_t turn_number_ = 1;

  CompletionQueue queue_;              // known without the ring
  std::vector<Channel> new_connects_;  // with entries that the kernel has not seen yet
  std::vector<Channel> backing_off_;   // listeners for whose connections there was no room
  Time backoff_end_{};
  std::vector<std::unique_ptr<Transfer>> spare_transfers_;

  // What the current completion refers to; the next next() releases it.
  std::uint16_t current_buffer_ = Buffers::none;
  bool current_has_more_ = false;  // than the buffer: some of the following
  std::shared_ptr<std::byte[]> current_copy_;
  Slice current_bytes_;  // what was handed out of a stream, in the buffer or the copy
  std::vector<Held> current_datagrams_;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<posix::DatagramBatch> batch_;  // made with the first datagram socket
  msghdr datagram_shape_{};

  int wake_fd_ = -1;
  bool watches_wakes_ = false;
  std::atomic<bool> wake_pending_{false};
};

static_assert(is_poller<Poller>);

}  // namespace tern::io_uring
