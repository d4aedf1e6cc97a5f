// DatagramWindow: which datagrams of one socket are under way, and what a returning one means.
//
//   A datagram carries its slot and its sequence number. The slot remembers the one datagram that
//   was last sent from it; a short history of sequence numbers tells an answer that comes twice
//   from one that comes after it was given up.
//
//   Plain and without a socket. Memory: depth * 36 + 512 bytes. No allocation after construction.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern::tool {

class DatagramWindow {
 public:
  // Answers older than this many datagrams are taken for late ones, even if they came before.
  static constexpr std::uint64_t history = 4096;

  struct Tag {
    std::uint32_t slot = 0;
    std::uint64_t sequence = 0;
  };
  enum class Meaning : std::uint8_t {
    answer,      // the first one to a datagram that is under way
    duplicated,  // another one to a datagram that was answered
    late,        // the first one, but the datagram was given up for lost
    unknown,     // no datagram with this tag was ever sent
  };
  struct Arrival {
    Meaning meaning = Meaning::unknown;
    bool reordered = false;     // a datagram that was sent later was answered earlier
    std::int64_t begun_ns = 0;  // of an answer
  };

  explicit DatagramWindow(std::size_t depth) : slots_(depth) {
    for (std::size_t slot = depth; slot > 0; --slot) {
      free_.push_back(static_cast<std::uint32_t>(slot - 1));
    }
  }

  std::size_t under_way() const { return slots_.size() - free_.size(); }
  bool full() const { return free_.empty(); }

  Tag send(std::int64_t now_ns) { return send(now_ns, now_ns); }
  // `begun_ns` comes back with the answer: when it was sent, or planned. REQUIRES not full.
  Tag send(std::int64_t now_ns, std::int64_t begun_ns) {
    const Tag tag{free_.back(), next_++};
    free_.pop_back();
    slots_[tag.slot] = {tag.sequence, now_ns, begun_ns, true};
    mark(tag.sequence, false);
    return tag;
  }

  Arrival arrive(const Tag& tag) {
    if (tag.slot >= slots_.size() || tag.sequence >= next_) return {};
    Slot& slot = slots_[tag.slot];
    if (slot.under_way && slot.sequence == tag.sequence) {
      const Arrival arrival{Meaning::answer, answered_ && tag.sequence < highest_, slot.begun_ns};
      highest_ = answered_ ? std::max(highest_, tag.sequence) : tag.sequence;
      answered_ = true;
      release(tag.slot);
      mark(tag.sequence, true);
      return arrival;
    }
    if (is_marked(tag.sequence)) return {Meaning::duplicated, false, 0};
    mark(tag.sequence, true);
    return {Meaning::late, false, 0};
  }

  // Gives up what was sent at or before this time; returns how many datagrams that were.
  std::size_t expire(std::int64_t sent_ns) {
    std::size_t expired = 0;
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].under_way && slots_[slot].sent_ns <= sent_ns) {
        release(slot);
        ++expired;
      }
    }
    return expired;
  }

 private:
  struct Slot {
    std::uint64_t sequence = 0;
    std::int64_t sent_ns = 0;
    std::int64_t begun_ns = 0;
    bool under_way = false;
  };

  void release(std::uint32_t slot) {
    slots_[slot].under_way = false;
    free_.push_back(slot);
  }
  bool is_recent(std::uint64_t sequence) const { return next_ - sequence <= history; }
  void mark(std::uint64_t sequence, bool answered) {
    if (!is_recent(sequence)) return;
    const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
    std::uint64_t& word = history_[sequence % history / 64];
    word = answered ? word | bit : word & ~bit;
  }
  bool is_marked(std::uint64_t sequence) const {
    return is_recent(sequence) && (history_[sequence % history / 64] >> (sequence % 64) & 1U) != 0;
  }

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::array<std::uint64_t, history / 64> history_{};
  std::uint64_t next_ = 0;
  std::uint64_t highest_ = 0;  // answered
  bool answered_ = false;
};

}  // namespace tern::tool
