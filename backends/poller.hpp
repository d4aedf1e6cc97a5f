// The poller contract: what every backend promises to the portable core above it.
//
// epoll and kqueue say *when* a call would not block; IOCP and io_uring say *that* a call is done.
// Finished I/O is the common ground: on a readiness kernel the poller makes the non-blocking call
// itself when the kernel says so, on a completion kernel the kernel has made it already. So a
// poller delivers *completions*, and everything above it is portable and is written once.
//
//          orders                                          completions
//   core ─────────► accept receive connect send close       next(): accept connect receive
//                        │                                    ▲      send close
//                        ▼                                    │
//                   the backend ◄──────── the kernel ────── wait()
//
// Each backend is a class `tern::<name>::Poller` with exactly this surface (the concept below,
// asserted by each backend), and brings the socket set-up calls of its world as
// `Poller::Sockets`. `tern::Poller` is the one that the build chose (`chosen.hpp`).
//
// THE RULES. Each has a contract test of its name that runs on every backend.
//
//   1  bytes_are_the_pollers    Received bytes are valid until the next next(). No channel owns a
//                               receive buffer; an idle channel costs none on any kernel.
//   2  slices_are_the_callers   Offered slices must stay until taken: either send() took them at
//                               once, or the `send` completion says how many more were taken. At
//                               most one send per channel is unfinished.
//   3  empty_is_the_end         A stream `receive` without bytes and without error is the end of
//                               the stream: once, after every byte before it. Sending still works.
//   4  close_is_last            After the `close` completion nothing of that channel appears, not
//                               even what the kernel had queued; no memory of the caller's is
//                               referred to. Only then may the owner die.
//   5  no_call_calls_back       Owners hear of things through next() only: bounded stack, no
//                               re-entry.
//   6  turns_are_fair           A channel with endless input gets one receive per turn.
//   7  vanished_peer_is_a_value connection_reset, broken_pipe, ...: no signal, no exception, no
//                               lost descriptor.
//   8  accept_survives          EMFILE, ENFILE, ENOBUFS, ECONNABORTED arrive as completions with an
//                               error. The standing order stays; a caller that wants to back off
//                               stops it. No spin.
//   9  nothing_else_promised    Not which chunks the bytes come in, nor the order between channels,
//                               nor an exact wake time: wait() may return early with nothing, but a
//                               turn in which `now()` has passed the limit is never reported early.
//  10  one_error_vocabulary     Errors are std::error_code comparable with std::errc.
//
// THREAD  One poller belongs to one thread; only wake() may be called from any other.
// ERRORS  Constructors throw std::system_error; nothing else throws. REQUIRES are asserted.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "tern/counters.hpp"
#include "tern/datagram.hpp"
#include "tern/endpoint.hpp"
#include "tern/socket_options.hpp"
#include "tern/time.hpp"

namespace tern {

enum class SocketKind : std::uint8_t { none, stream, listener, datagram };

// A kernel socket before it is attached and after it is accepted: a plain value without ownership.
// Whoever holds it last hands it to attach() or to Sockets::close().
struct Socket {
  std::intptr_t handle = -1;
  SocketKind kind = SocketKind::none;

  bool valid() const { return kind != SocketKind::none; }
  friend bool operator==(Socket, Socket) = default;
};

// An attached socket: a slot of the poller's table and the generation of its use, so that a stale
// channel is recognised after its slot was given to another connection. Never reused alike.
struct Channel {
  static constexpr std::uint32_t no_index = UINT32_MAX;
  std::uint32_t index = no_index;
  std::uint32_t generation = 0;

  bool valid() const { return index != no_index; }
  friend bool operator==(Channel, Channel) = default;
};

// Bytes of the caller's, to be sent.
using Slice = std::span<const std::byte>;

// send() looks at no more slices than this in one call; the rest counts as not taken.
inline constexpr std::size_t slices_max = 64;
// The longest batch of datagrams in one completion, and in one send_to().
inline constexpr std::size_t datagrams_max = 32;

enum class Operation : std::uint8_t { accept, connect, receive, send, close };

struct Completion;

// Whoever attached a channel. Its address comes back with each completion; the poller never looks
// inside. `completed` is called from one place, src/core/reactor/reactor.cpp.
class Owner {
 public:
  virtual void completed(const Completion& completion) = 0;

 protected:
  ~Owner() = default;
};

// A finished thing. Fields that an operation does not name are unspecified.
//
//   accept   `accepted`, attachable at once, or `error`; more will follow either way
//   connect  `error`, or none: the stream is open
//   receive  stream: `bytes`; empty without error is the end. Datagrams: `datagrams`, at least one.
//            `error` ends the standing order of a stream, never that of a datagram channel.
//   send     `count` more bytes were taken, 0 where the kernel only says "try again";
//            or `error`: a stream cannot be sent to any more, a datagram channel can. Of one slice
//            in loaned bytes, `bytes` is what was not taken.
//   close    nothing refers to the channel, its owner or its slices any more
struct Completion {
  Operation operation = Operation::close;
  Owner* owner = nullptr;
  Channel channel;
  std::error_code error;
  Slice bytes;
  std::span<const Datagram> datagrams;
  std::size_t count = 0;
  Socket accepted;
};

struct PollerOptions {
  // The shared receive buffer: the most that one stream receive delivers. 1 to 16 Mi.
  std::size_t receive_bytes = 64 * 1024;
  // The room for one received datagram; a longer one is truncated and says so. 1 to 65,536.
  std::size_t datagram_bytes = 65'536;
};

// The set-up calls of one world: the operating system's, or the simulated network's. All are
// non-blocking but for resolve(). On failure they set `error` and return an invalid Socket.
//
//   listen         a listening stream socket, bound; replaces a stale Unix socket file
//   stream         an unbound, unconnected stream socket of the family, for Poller::connect().
//                  `source` with a port or address is bound first.
//   datagram       a datagram socket bound to `local` (Family::none: unbound); with `remote` it
//                  is connected: only that peer is heard, and bounced sends are reported.
//   local, peer    the socket's addresses; Family::none when it has none
//   reset_on_close its close becomes a reset (RST) that discards unsent bytes
//   close          gives back a socket that is not attached
//   forget         after a listener at the endpoint was closed: removes the file that a Unix socket
//                  leaves, unless somebody else listens there by now
//   resolve        every address of host, numeric or by name
//   resolve_blocks whether resolve() may wait for the network, and must be called off the loop
template <class S>
concept is_sockets = requires(Socket socket, const Endpoint& endpoint,
                              const ListenOptions& listen_options, const SocketOptions& options,
                              std::string_view host, std::error_code& error) {
  { S::listen(endpoint, listen_options, error) } -> std::same_as<Socket>;
  { S::stream(endpoint.family(), endpoint, options, error) } -> std::same_as<Socket>;
  { S::datagram(endpoint, endpoint, options, error) } -> std::same_as<Socket>;
  { S::local(socket) } -> std::same_as<Endpoint>;
  { S::peer(socket) } -> std::same_as<Endpoint>;
  { S::reset_on_close(socket) } -> std::same_as<void>;
  { S::close(socket) } -> std::same_as<void>;
  { S::forget(endpoint) } -> std::same_as<void>;
  { S::resolve(host, std::uint16_t{}, error) } -> std::same_as<std::vector<Endpoint>>;
  { S::resolve_blocks } -> std::convertible_to<bool>;
};

// attach(socket, owner, error)
//   Takes the socket; from now on it is closed by close(channel) only.
//   REQUIRES  a valid socket of this poller's Sockets, attached nowhere.
//   ENSURES   a channel never seen before; or `error` is set (out of memory, out of watches), the
//             channel is invalid and the socket is still the caller's.
// accept(channel), receive(channel)
//   Standing orders: keep accepting, keep delivering; until stop(), close(), or for a stream's
//   receive its end or error. Giving an order that already stands does nothing. Without room for
//   one more descriptor an `accept` completion says so (too_many_files_open, no_buffer_space, ...)
//   in each turn, and the client stays in the backlog: whoever has no room stops accepting a while.
//   REQUIRES  a listener; a connected stream or a datagram socket.
// stop(channel, operation)
//   Withdraws accept or receive (backpressure). ENSURES no such completion until ordered again;
//   nothing is lost, and a peer's end or reset is delivered after the order is given again.
// connect(channel, endpoint)
//   ENSURES one `connect` completion. REQUIRES a fresh stream socket of the endpoint's family.
// send(channel, slices)
//   ENSURES  the number of bytes taken at once; if fewer than offered, one `send` completion
//            follows: with the count taken meanwhile (the caller drops those bytes and offers the
//            rest again), or with an error.
//   REQUIRES no unfinished send, no shutdown_send before. Empty slices are legal: nothing is sent.
//   The span itself is not kept. Where sends_later() is false the poller does not look at slices
//   after the call either; where it is true they must stay until the `send` or `close` completion.
//   Where loans_receive_buffer() is true, too, slices may lie in the bytes of the current receive
//   completion: the poller keeps those until the next next() after the `send` completion.
// send_to(channel, datagrams)
//   ENSURES  the number of datagrams taken at once; if fewer, one `send` completion with count 0
//            follows when there is room again. No datagram is referred to after the call, on any
//            kernel. One that the kernel refuses (too long, bounced) counts as taken and is told by
//            a `send` completion of its own with the error; the socket lives.
// shutdown_send(channel)
//   Half-close: the peer reads the end after all bytes taken so far. A peer that is already gone
//   is not an error. REQUIRES no unfinished send.
// close(channel)
//   Cancels everything. ENSURES one `close` completion, the channel's last. REQUIRES not closed.
// wait(limit)
//   Lets the kernel work until something finished, a wake, or `limit` from now() has passed, which
//   who has worked since refreshes; zero only looks, `forever` has no limit. Never waits while
//   next() has more.
// next(completion)
//   ENSURES  the next finished thing of this turn, or false when the turn has no more. A turn's
//            completions are bounded, however busy the channels.
// wake()
//   ENSURES  the current or the next wait() returns. Many wakes before a wait make one.
//   THREAD   any; also from a signal handler.
// now(), refresh()
//   Read from the kernel once in each wait(), after it; refresh() reads it between turns.
// has_waiting(channel)
//   Whether a listener that accepts has connections still to deliver, wherever they wait by now: in
//   the kernel's queue, or accepted and not told. Who wants to close it without turning away
//   clients that are connected goes on until there are none.
//   REQUIRES  a listener whose `accept` stands.
// socket(channel)
//   For Sockets::local() and Sockets::peer().
template <class P>
concept is_poller = is_sockets<typename P::Sockets> &&
    std::constructible_from<P, const PollerOptions&> &&
    requires(P poller, const P const_poller, Socket socket, Owner* owner, Channel channel,
             const Endpoint& endpoint, std::span<const Slice> slices,
             std::span<const Datagram> datagrams, Completion& completion, std::error_code& error) {
  { P::name } -> std::convertible_to<std::string_view>;
  { poller.attach(socket, owner, error) } -> std::same_as<Channel>;
  { poller.accept(channel) } -> std::same_as<void>;
  { poller.receive(channel) } -> std::same_as<void>;
  { poller.stop(channel, Operation::receive) } -> std::same_as<void>;
  { poller.connect(channel, endpoint) } -> std::same_as<void>;
  { poller.send(channel, slices) } -> std::same_as<std::size_t>;
  { poller.send_to(channel, datagrams) } -> std::same_as<std::size_t>;
  { poller.shutdown_send(channel) } -> std::same_as<void>;
  { poller.close(channel) } -> std::same_as<void>;
  { poller.wait(Duration{}) } -> std::same_as<void>;
  { poller.next(completion) } -> std::same_as<bool>;
  { poller.wake() } -> std::same_as<void>;
  { const_poller.now() } -> std::same_as<Time>;
  { poller.refresh() } -> std::same_as<void>;
  { const_poller.has_waiting(channel) } -> std::same_as<bool>;
  { const_poller.socket(channel) } -> std::same_as<Socket>;
  { const_poller.sends_later() } -> std::same_as<bool>;
  { const_poller.loans_receive_buffer() } -> std::same_as<bool>;
  { const_poller.counters() } -> std::same_as<const PollerCounters&>;
};

}  // namespace tern
