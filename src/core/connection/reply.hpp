// Reply: what a protocol's received() sends first. It leaves when received() returns, past the
// queue and, if it is a part of what was received, without being copied.
//
//      begin() ─► offered ── lend(), copy() ──► answered ── end(), take() ──► with the kernel
//                    │                             │
//                    │ decline(): other bytes      │ take(): other bytes are queued behind it,
//                    ▼ were first                  ▼ and it goes to the queue before them
//                 nothing                      the queue
//
//   INVARIANTS  One receive is delivered at a time on a reactor, so there is one of these for all
//               its connections. Only an open connection that has nothing queued may answer.
//               Lent bytes are the poller's (rule 1): after end() they stay until the next
//               completion is taken, or, where it loans its buffers, until the send's completion.
// Not installed.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

#include "backends/poller.hpp"

namespace tern {

class ConnectionImpl;

class Reply {
 public:
  // The longest that is copied.
  static constexpr std::size_t copied_bytes_max = 4096;

  // `received` is delivered to `connection`, which may answer past its queue or not.
  void begin(const ConnectionImpl& connection, const Slice& received, bool may_answer) {
    receiver_ = &connection;
    answerer_ = may_answer ? &connection : nullptr;
    received_ = received;
  }
  // received() has returned. Whether there is a reply, for take().
  bool end() {
    receiver_ = answerer_ = nullptr;
    return !bytes_.empty();
  }
  const Slice& bytes() const { return bytes_; }
  Slice take() { return std::exchange(bytes_, {}); }

  bool may_answer(const ConnectionImpl& connection) const { return answerer_ == &connection; }
  // Whether `bytes` are a part of what the connection receives; then they are the reply.
  bool lend(const ConnectionImpl& connection, Slice bytes) {
    const bool is_part = answerer_ == &connection && bytes.data() >= received_.data() &&
                         bytes.data() + bytes.size() <= received_.data() + received_.size();
    if (!is_part) [[unlikely]]
      return false;
    answerer_ = nullptr;
    bytes_ = bytes;
    return true;
  }
  // REQUIRES may_answer(), at most copied_bytes_max.
  void copy(Slice bytes) {
    assert(answerer_ != nullptr && bytes.size() <= copied_bytes_max);
    answerer_ = nullptr;
    std::copy(bytes.begin(), bytes.end(), room_.begin());
    bytes_ = Slice(room_).first(bytes.size());
  }
  // From now on it would overtake what is queued, or the connection is not open any more.
  void decline(const ConnectionImpl& connection) {
    if (answerer_ == &connection) answerer_ = nullptr;
  }
  // The reply of a connection that is being delivered to, if it has one yet.
  Slice of(const ConnectionImpl& connection) const {
    return receiver_ == &connection ? bytes_ : Slice{};
  }

 private:
  const ConnectionImpl* receiver_ = nullptr;
  const ConnectionImpl* answerer_ = nullptr;  // the same, while it may still answer
  Slice received_;
  Slice bytes_;
  std::array<std::byte, copied_bytes_max> room_;
};

}  // namespace tern
