// Sends of streams: what is written down until the kernel is entered, and kept until it is done.
#include <algorithm>
#include <cstring>
#include <functional>

#include "backends/io_uring/io_uring.hpp"

namespace tern::io_uring {
namespace {

// What one entry takes at most, in the kernel as well.
constexpr std::size_t bytes_max = 1U << 30U;

bool lies_in(Slice whole, const std::byte* bytes) {
  return std::less_equal<>{}(whole.data(), bytes) &&
         std::less<>{}(bytes, whole.data() + whole.size());
}

}  // namespace

Transfer& Poller::transfer_of(Slot& slot) {
  slot.set(Slot::transfers);
  if (spare_transfers_.empty()) {
    slot.transfer = new Transfer;
  } else {
    slot.transfer = spare_transfers_.back().release();
    spare_transfers_.pop_back();
  }
  return *slot.transfer;
}

// Nothing of an unfinished connect or send is needed any more.
void Poller::drop_transfer(Slot& slot) {
  static constexpr std::size_t spare_transfers_max = 256;
  if (slot.lent != Buffers::none) {
    stream_buffers_.release(slot.lent);
    slot.lent = Buffers::none;
  }
  if (!slot.is(Slot::transfers)) return;
  slot.clear(Slot::transfers);
  std::unique_ptr<Transfer> dropped(slot.transfer);
  dropped->lent.reset();
  if (spare_transfers_.size() < spare_transfers_max) spare_transfers_.push_back(std::move(dropped));
}

std::size_t Poller::send(Channel channel, std::span<const Slice> slices) {
  Slot& sending = slots_.checked(channel);
  assert(!sending.is(Slot::wants(Operation::send)) && "at most one send per channel is unfinished");
  if (slices.size() == 1 && current_copy_ == nullptr && !stream_buffers_.are_scarce()) [[likely]] {
    if (slices.front().empty()) return 0;
    sending.bytes = lend(sending, slices.front().data());
    sending.bytes_count = static_cast<std::uint32_t>(std::min(slices.front().size(), bytes_max));
  } else {
    std::size_t offered = 0;
    for (const Slice slice : slices) offered += slice.size();
    if (offered == 0) return 0;
    Transfer& transfer = transfer_of(sending);
    transfer.message = {};
    transfer.message.msg_iov = transfer.slices.data();
    for (const Slice slice : slices.first(std::min(slices.size(), slices_max))) {
      if (slice.empty()) continue;
      auto* const bytes = const_cast<std::byte*>(lend(sending, slice.data()));
      transfer.slices[transfer.message.msg_iovlen++] = {bytes, slice.size()};
    }
  }
  sending.set(Slot::wants(Operation::send));
  change(sending, channel);
  return 0;
}

// Bytes of the current completion are kept for the send, in place; when many buffers are kept like
// this, by peers that do not read, in a copy. Returns where the bytes will stay.
const std::byte* Poller::lend(Slot& slot, const std::byte* bytes) {
  if (!lies_in(current_bytes_, bytes)) return bytes;
  const bool is_in_place = current_copy_ == nullptr && !stream_buffers_.are_scarce();
  if (is_in_place) {
    if (slot.lent == Buffers::none) stream_buffers_.lend(current_buffer_);
    slot.lent = current_buffer_;
    return bytes;
  }
  if (current_copy_ == nullptr) {
    current_copy_ = std::shared_ptr<std::byte[]>(new std::byte[current_bytes_.size()]);
    std::memcpy(current_copy_.get(), current_bytes_.data(), current_bytes_.size());
    current_has_more_ = true;
  }
  slot.transfer->lent = current_copy_;
  return current_copy_.get() + (bytes - current_bytes_.data());
}

// All bytes that were taken are in the socket already.
void Poller::shutdown_send(Channel channel) {
  const Slot& ended = slots_.checked(channel);
  assert(!ended.is(Slot::wants(Operation::send)) && "a send is unfinished");
  // It fails only when the peer is already gone, which receive() tells.
  (void)::shutdown(ended.fd, SHUT_WR);
}

}  // namespace tern::io_uring
