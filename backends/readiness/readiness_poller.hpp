// What readiness kernels share: epoll and kqueue only say *when* a call would not block, so the
// non-blocking calls are ours to make. This is the half of a reactor that turns "readable" and
// "writable" into finished I/O; the other half, hearing of readiness, is each backend's own.
//
//        kernel event ──► perform(): which order stands? make its one call ──► completion
//                             │  more may be there
//                             └────► ready queue ──► the next turn, after everybody else
//
//   Edges: a slot remembers `readable` and `writable` until a call finds nothing to do, so each
//   socket is registered with the kernel once and interest never changes. A receive that does not
//   fill the buffer has exhausted the socket, unless the kernel has spoken of the stream's end.
#pragma once

#include <cassert>
#include <cstdint>
#include <ctime>
#include <memory>
#include <vector>

#include "backends/common/completion_queue.hpp"
#include "backends/common/error_class.hpp"
#include "backends/common/slot_table.hpp"
#include "backends/poller.hpp"
#include "backends/socket/posix.hpp"

namespace tern::readiness {

// 24 bytes for each socket.
struct Slot {
  // The bits of `readable` and `writable` are those of EPOLLIN and EPOLLOUT: no translation.
  static constexpr std::uint16_t readable = 1U << 0;  // an edge not yet used up
  static constexpr std::uint16_t writable = 1U << 2;
  static constexpr std::uint16_t ending = 1U << 1;        // the kernel spoke of an end or an error
  static constexpr std::uint16_t wants_accept = 1U << 3;  // standing orders
  static constexpr std::uint16_t wants_receive = 1U << 4;
  static constexpr std::uint16_t wants_connect = 1U << 5;  // orders for one completion
  static constexpr std::uint16_t wants_send = 1U << 6;
  static constexpr std::uint16_t queued = 1U << 7;  // in the ready queue
  static constexpr std::uint16_t closing = 1U << 8;
  static constexpr std::uint16_t stream = 1U << 9;  // the kind, where a look at the flags tells

  Owner* owner = nullptr;
  int fd = -1;
  std::uint32_t generation = 0;
  std::uint32_t next = Channel::no_index;  // in the ready queue
  std::uint16_t flags = 0;
  SocketKind kind = SocketKind::none;

  bool has(std::uint16_t mask) const { return (flags & mask) != 0; }
  void set(std::uint16_t mask) { flags = static_cast<std::uint16_t>(flags | mask); }
  void clear(std::uint16_t mask) { flags = static_cast<std::uint16_t>(flags & ~mask); }
  bool is_closing() const { return has(closing); }
  std::uint32_t& link() { return next; }
};
static_assert(sizeof(Slot) == 24);

// What a limit is for the kernel. REQUIRES not negative.
inline timespec timespec_of(Duration limit) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(limit);
  return {static_cast<std::time_t>(whole.count()), static_cast<long>((limit - whole).count())};
}

class ReadinessPoller {
 public:
  using Sockets = posix::Sockets;

  void accept(Channel channel) { order(channel, Slot::wants_accept); }
  void receive(Channel channel) { order(channel, Slot::wants_receive); }
  void stop(Channel channel, Operation operation);
  void connect(Channel channel, const Endpoint& endpoint);
  std::size_t send(Channel channel, std::span<const Slice> slices) {
    if (slices.size() != 1) [[unlikely]]
      return send_many(channel, slices);
    const Slice slice = slices.front();
    ++counters_.send_calls;
    const ssize_t sent = posix::send(checked_to_send(channel).fd, slice.data(), slice.size());
    if (sent != static_cast<ssize_t>(slice.size())) [[unlikely]] {
      return sent_less(channel, slice.size(), sent, true);
    }
    counters_.sent_bytes += static_cast<std::size_t>(sent);
    return static_cast<std::size_t>(sent);
  }
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void shutdown_send(Channel channel);
  void close(Channel channel);

  Time now() const { return now_; }
  bool has_waiting(Channel channel) const { return posix::has_waiting(socket(channel)); }
  Socket socket(Channel channel) const;
  // The kernel copies what it takes, at once.
  static constexpr bool sends_later() { return false; }
  static constexpr bool loans_receive_buffer() { return false; }
  const PollerCounters& counters() const { return counters_; }

 protected:
  explicit ReadinessPoller(const PollerOptions& options);
  ~ReadinessPoller();
  ReadinessPoller(const ReadinessPoller&) = delete;
  ReadinessPoller& operator=(const ReadinessPoller&) = delete;

  // A slot for the socket. The backend registers it with the kernel, or releases the slot.
  Channel add(Socket socket, Owner* owner, std::error_code& error);
  void release(Channel channel) { slots_.release(channel); }
  Slot& slot(std::uint32_t index) { return slots_[index]; }

  // Whether the coming wait must not block: something is ready already.
  bool has_more() const { return ready_head_ != Channel::no_index || queue_.has_coming(); }
  // How long the coming wait may be, if something is ready: not at all, or a moment where it is
  // ready only for asking the kernel again, which had no memory and sends no event when it has.
  Duration bounded(Duration limit) const;
  // After the wait: what is queued now belongs to this turn, what will be queued to the next.
  void begin_turn();
  // The kernel's events of a slot: remembers them and does one thing, if an order stands for it.
  bool on_events(Slot& slot, Channel channel, std::uint16_t events, Completion& completion) {
    slot.set(events);
    // By far the most frequent case, in one comparison: a stream has input and wants it.
    constexpr std::uint16_t decisive = Slot::stream | Slot::readable | Slot::wants_receive |
                                       Slot::ending | Slot::wants_connect | Slot::wants_send |
                                       Slot::queued | Slot::closing;
    constexpr std::uint16_t plain = Slot::stream | Slot::readable | Slot::wants_receive;
    if ((slot.flags & decisive) == plain) [[likely]] {
      return perform_receive(slot, channel, completion);
    }
    // A queued slot has its one call of this turn still to come, or has had it.
    return !slot.has(Slot::queued) && perform(slot, channel, completion);
  }
  // The backend knows more than the call has told: the slot gets another one in the next turn.
  void requeue(Slot& slot, Channel channel, std::uint16_t events) {
    slot.set(events);
    enqueue(slot, channel.index);
  }
  // What was left over from the last turn.
  bool next_queued(Completion& completion);

  PollerCounters counters_;
  Time now_{};

 private:
  static constexpr unsigned accepts_per_turn_max = 64;

  void order(Channel channel, std::uint16_t want);
  void enqueue(Slot& slot, std::uint32_t index);
  // Once more in this turn, before everybody else.
  void enqueue_first(Slot& slot, std::uint32_t index);
  void retry(Slot& slot, std::uint32_t index, ErrorClass error);
  void queue_completion(Channel channel, Operation operation, int errno_value) {
    queue_.push({channel, operation, posix::error_from(errno_value)});
  }
  bool next_queued_completion(Completion& completion);

  bool perform(Slot& slot, Channel channel, Completion& completion);
  bool perform_close(Slot& slot, Channel channel, Completion& completion);
  bool perform_connect(Slot& slot, Channel channel, Completion& completion);
  bool perform_send(Slot& slot, Channel channel, Completion& completion);
  bool perform_receive(Slot& slot, Channel channel, Completion& completion) {
    ++counters_.receive_calls;
    const ssize_t received = posix::receive(slot.fd, receive_buffer_.get(), receive_bytes_);
    if (received <= 0 || static_cast<std::size_t>(received) == receive_bytes_) [[unlikely]] {
      return receive_unusual(slot, channel, received, completion);
    }
    slot.clear(Slot::readable);
    deliver(slot, channel, static_cast<std::size_t>(received), completion);
    return true;
  }
  void deliver(const Slot& slot, Channel channel, std::size_t bytes, Completion& completion) {
    begin_completion(completion, Operation::receive, slot, channel, counters_);
    completion.bytes = {receive_buffer_.get(), bytes};
    counters_.received_bytes += bytes;
  }
  bool receive_unusual(Slot& slot, Channel channel, ssize_t received, Completion& completion);
  bool receive_failed(Slot& slot, Channel channel, int errno_value, Completion& completion);
  bool perform_receive_datagrams(Slot& slot, Channel channel, Completion& completion);
  bool perform_accept(Slot& slot, Channel channel, Completion& completion);
  Slot& checked_to_send(Channel channel) {
    Slot& sending = slots_.checked(channel);
    assert(!sending.has(Slot::wants_send) && "at most one send per channel is unfinished");
    return sending;
  }
  void wait_for_room(Slot& sending, std::uint32_t index, ErrorClass error);
  std::size_t send_many(Channel channel, std::span<const Slice> slices);
  std::size_t sent_less(Channel channel, std::size_t offered, ssize_t sent, bool is_full);

  // The first stays empty: backends name their own things by it.
  SlotTable<Slot> slots_{1};
  std::uint32_t ready_head_ = Channel::no_index;
  std::uint32_t ready_tail_ = Channel::no_index;
  std::uint32_t ready_count_ = 0;
  std::uint32_t turn_left_ = 0;  // of the ready queue, how many belong to this turn
  unsigned accepts_left_ = 0;
  bool is_short_of_memory_ = false;  // the kernel was, since the last wait
  std::size_t receive_bytes_;
  std::size_t datagram_bytes_;
  std::unique_ptr<std::byte[]> receive_buffer_;
  std::unique_ptr<posix::DatagramBatch> batch_;  // made with the first datagram socket
  CompletionQueue queue_;                        // orders that failed on the spot
};

}  // namespace tern::readiness
