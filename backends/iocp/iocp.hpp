// The poller on Windows completion ports. The mechanism is described at the head of iocp.cpp.
#pragma once

#include <winsock2.h>

#include <atomic>
#include <cassert>
#include <memory>
#include <string_view>
#include <vector>

#include "backends/common/completion_queue.hpp"
#include "backends/common/error_class.hpp"
#include "backends/common/send_datagrams.hpp"
#include "backends/common/slot_queues.hpp"
#include "backends/common/slot_table.hpp"
#include "backends/iocp/overlapped_op.hpp"
#include "backends/iocp/port.hpp"
#include "backends/iocp/slot.hpp"
#include "backends/poller.hpp"
#include "backends/socket/winsock.hpp"

namespace tern::iocp {

class Poller final : private SlotQueues<Slot> {
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
  // The longest datagram there is, and more.
  static constexpr std::size_t look_bytes = 65'536;

  // What became of an operation that was just asked for.
  enum class Begun : std::uint8_t {
    pending,  // its packet tells
    done,     // and no packet comes
    failed,   // and no packet comes
  };

  // iocp.cpp: orders, turns
  void queue_completion(Channel channel, Operation operation, int error) {
    queue_.push({channel, operation, error == 0 ? std::error_code{} : winsock::error_from(error)});
  }
  void back_off(Slot& slot, Channel channel);
  void end_backoff();
  void start_changed();
  OverlappedOp& begin(Slot& slot, Channel channel, Operation operation);
  Begun begun(Slot& slot, OverlappedOp& op, int error);
  void end(Slot& slot, OverlappedOp& op);
  bool finished(const OVERLAPPED_ENTRY& packet, Completion& completion);
  bool finished_closing(Slot& slot, Channel channel, Completion& completion);
  bool next_queued(Completion& completion);
  bool next_queued_completion(Completion& completion);
  bool perform(Slot& slot, Channel channel, Completion& completion);

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
  SlotTable<Slot> slots_;

  CompletionQueue queue_;             // known without the port
  std::vector<Channel> backing_off_;  // for which the kernel had no room
  Time backoff_end_{};
  std::atomic<bool> wake_pending_{false};
};

static_assert(is_poller<Poller>);

}  // namespace tern::iocp
