// Pipe: one direction of a stream. Bytes come out in the order they went in, then the end.
//
//        read_         arrived_           due_             written_
//          │  readable    │  waits for the  │   on its way    │
//          │◄────────────►│  window to open │                 │
//          │              │◄────────────────┴────────────────►│
//          ◄─ the receiver's window ─►      the sender's buffer
//
//   1  read_ <= arrived_ <= due_ <= written_, arrived_ - read_ <= window and
//      written_ - arrived_ <= buffer.
//   2  The end follows the last byte: it has arrived when it was carried and arrived_ == written_.
//   3  A byte that arrives where nobody reads any more resets the writer's end, as TCP does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "backends/poller.hpp"
#include "backends/simulated/simulation.hpp"

namespace tern::simulated {

class Stream;

class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(Simulation& simulation, std::size_t buffer_bytes, std::size_t window_bytes)
      : simulation_(simulation), buffer_bytes_(buffer_bytes), window_bytes_(window_bytes) {}

  std::weak_ptr<Stream> writer;
  std::weak_ptr<Stream> reader;

  // --- the writer's end
  std::size_t room() const;
  // Takes the bytes; send_off() puts what was taken on its way. REQUIRES bytes.size() <= room().
  void take(Slice bytes);
  void send_off();
  // The end, after everything taken so far.
  void finish();
  bool is_finished() const { return is_finished_; }
  // Nothing more arrives and nothing is readable any more: the connection was reset.
  void discard();

  // --- the reader's end
  std::size_t readable() const { return static_cast<std::size_t>(arrived_ - read_); }
  std::size_t read(std::span<std::byte> into);
  // The end was carried to the reader, and whether nothing is left before it.
  bool end_has_arrived() const { return end_is_due_ && arrived_ == written_; }
  // Where bytes were lost the reader sees no end: a reset is on its way.
  bool is_at_end() const { return end_has_arrived() && readable() == 0 && !loses_bytes_; }
  void close_reader() { reader_is_closed_ = true; }

 private:
  void arrive(std::uint64_t position, bool with_end);
  void settle();

  Simulation& simulation_;
  std::size_t buffer_bytes_;
  std::size_t window_bytes_;
  std::deque<std::byte> bytes_;  // from read_ to written_
  std::uint64_t read_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t due_ = 0;
  std::uint64_t written_ = 0;
  Time last_arrival_{};  // of what is on its way: later bytes do not overtake
  bool is_finished_ = false;
  bool end_is_due_ = false;
  bool is_discarded_ = false;
  bool loses_bytes_ = false;  // when it was discarded
  bool reader_is_closed_ = false;
  bool window_update_is_due_ = false;
};

}  // namespace tern::simulated
