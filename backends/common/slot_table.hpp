// SlotTable: what a poller remembers of each channel, found by its index, known by its generation.
//
//       free ──add()──► in use ──release()──► free, in the next generation
//
//   A slot never moves: a reference is good while the slot is in use. It costs its size and nothing
//   else; the list of the free ones is made of the slots themselves.
//
//   REQUIRES    of Slot: `owner`, `kind`, `generation`; `link()`, a number that is the slot's own
//               while it is in use and the table's while it is free; `is_closing()`.
//   INVARIANTS  A free slot is as one that was never used, but for its generation and link().
//   ERRORS      make_room() leaves the table as it was where it fails; nothing else can.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "backends/common/memory.hpp"
#include "backends/poller.hpp"

namespace tern {

template <class Slot>
class SlotTable {
 public:
  // Indexes from `first` to `last`. The slots before it are there, empty, for who looks at them.
  explicit SlotTable(std::uint32_t first = 0, std::uint32_t last = Channel::no_index - 1)
      : used_(first), last_(last) {
    if (first > 0) chunks_.push_back(std::make_unique<Slot[]>(chunk_slots));
  }

  Slot& operator[](std::uint32_t index) {
    return chunks_[index / chunk_slots][index % chunk_slots];
  }
  const Slot& operator[](std::uint32_t index) const {
    return chunks_[index / chunk_slots][index % chunk_slots];
  }

  // Of how many there is memory.
  std::size_t capacity() const { return chunks_.size() * chunk_slots; }
  bool is_current(Channel channel) const {
    return channel.index < used_ && (*this)[channel.index].generation == channel.generation;
  }
  // The slot of whoever may still hear of something: not of a channel that is closed or closing.
  Slot* find_open(Channel channel) {
    if (!is_current(channel)) return nullptr;
    Slot& found = (*this)[channel.index];
    return found.is_closing() ? nullptr : &found;
  }
  // REQUIRES  a channel that close() was not called for.
  Slot& checked(Channel channel) {
    assert(is_current(channel) && "a channel is used after its close completion");
    assert(!(*this)[channel.index].is_closing() && "a channel is used after close()");
    return (*this)[channel.index];
  }

  // Whether add() has a slot to give. Fails for want of memory, and beyond the last index.
  bool make_room(std::error_code& error) { return free_ != Channel::no_index || grow(error); }
  // ENSURES   a channel that never was.
  // REQUIRES  make_room() was true.
  Channel add(Socket socket, Owner* owner) {
    const std::uint32_t index = free_ != Channel::no_index ? free_ : used_++;
    Slot& added = (*this)[index];
    if (index == free_) free_ = std::exchange(added.link(), Channel::no_index);
    added.owner = owner;
    added.kind = socket.kind;
    return {index, added.generation};
  }

  void release(Channel channel) {
    assert(is_current(channel));
    Slot& freed = (*this)[channel.index];
    freed = Slot();
    freed.generation = channel.generation + 1;
    freed.link() = std::exchange(free_, channel.index);
  }

  // Calls `function(slot, channel)` for each that is in use.
  template <class Function>
  void for_each(Function function) {
    for (std::uint32_t index = 0; index < used_; ++index) {
      Slot& each = (*this)[index];
      if (each.kind != SocketKind::none) function(each, Channel{index, each.generation});
    }
  }
  template <class Function>
  void for_each(Function function) const {
    const_cast<SlotTable&>(*this).for_each(
        [&function](const Slot& each, Channel channel) { function(each, channel); });
  }

 private:
  static constexpr std::uint32_t chunk_slots = 256;

  bool grow(std::error_code& error) {
    if (used_ > last_) {
      error = std::make_error_code(std::errc::too_many_files_open);
      return false;
    }
    if (used_ / chunk_slots < chunks_.size()) return true;
    return has_memory_for([this] { chunks_.push_back(std::make_unique<Slot[]>(chunk_slots)); },
                          error);
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::uint32_t used_;  // of the indexes, how many were ever used
  std::uint32_t last_;
  std::uint32_t free_ = Channel::no_index;
};

// Every completion begins like this.
template <class Slot>
void begin_completion(Completion& completion, Operation operation, const Slot& slot,
                      Channel channel, PollerCounters& counters) {
  completion.operation = operation;
  completion.owner = slot.owner;
  completion.channel = channel;
  // Fetching the category for a clear error costs more than looking.
  if (completion.error) [[unlikely]]
    completion.error.clear();
  ++counters.completions;
}

}  // namespace tern
