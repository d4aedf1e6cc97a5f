#include "src/chat/service/hub_runner.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <iterator>
#include <utility>

#include "src/chat/hub/names.hpp"
#include "src/chat/service/shard.hpp"
#include "src/chat/store/record.hpp"

namespace tern::chat {
namespace {

// What a delivery costs until it is applied, its bytes apart.
constexpr std::size_t delivery_bytes = sizeof(Delivery);

UnixTime system_time() {
  using std::chrono::system_clock;
  return std::chrono::floor<std::chrono::seconds>(system_clock::now()).time_since_epoch().count();
}

}  // namespace

HubRunner::HubRunner(const ServiceOptions& options, Reactor& reactor)
    : options_(options), reactor_(reactor), hub_(options.hub, *this) {
  hub_.set_reserved_names(options.reserved_names);
}

DoorId HubRunner::number_of(const Door& door) {
  const auto it = std::find(doors_.begin(), doors_.end(), &door);
  const auto number = static_cast<DoorId>(it - doors_.begin());
  if (it == doors_.end()) doors_.push_back(&door);
  assert(doors_.size() <= doors_max);
  return number;
}

void HubRunner::take(Requests requests) {
  if (inbox_.empty()) {
    inbox_ = std::move(requests);
  } else {
    std::move(requests.begin(), requests.end(), std::back_inserter(inbox_));
  }
  work();
}

void HubRunner::work() {
  // flush() may call this again: what it delivers on this reactor may overflow a session, whose
  // `gone` comes through take() while the batch is still being handed out. It is carried out next.
  if (std::exchange(is_busy_, true)) return;
  do {
    carry_out(std::exchange(inbox_, {}));
    write_journal();
    publish();
    flush();
  } while (!inbox_.empty());
  is_busy_ = false;
}

void HubRunner::carry_out(const Requests& requests) {
  const UnixTime now = options_.clock ? options_.clock() : system_time();
  std::size_t commands = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (carry_out(requests[i], now)) ++commands;
    const MemberId member = requests[i].member;
    const bool is_last = i + 1 == requests.size() || requests[i + 1].member != member;
    if (!is_last || commands == 0) continue;
    acknowledge(member, std::exchange(commands, 0));
  }
}

// True: a command is done with.
bool HubRunner::carry_out(const Request& request, UnixTime now) {
  const std::size_t members_before = hub_.members();
  switch (request.kind) {
    case Request::Kind::arrive:
      hub_.arrive(request.member);
      return false;
    case Request::Kind::gone:
      held_.erase(request.member);
      hub_.gone(request.member, request.why);
      count_gone(request.why, members_before);
      return false;
    case Request::Kind::command:
      break;
  }
  if (const auto held = held_.find(request.member); held != held_.end()) {
    held->second.push_back(request);
    return false;
  }
  counts_.commands.fetch_add(1, std::memory_order_relaxed);
  hub_.handle(request.member, request.command, now);
  count_gone(PartReason::quit, members_before);
  if (!hub_.is_verifying(request.member)) return true;
  held_.try_emplace(request.member);
  return false;
}

void HubRunner::verified(MemberId member, PasswordResult result) {
  const auto held = held_.find(member);
  if (held == held_.end()) return;  // it has gone meanwhile
  Requests requests = std::move(held->second);
  held_.erase(held);
  const std::size_t members_before = hub_.members();
  hub_.verified(member, result);
  count_gone(PartReason::quit, members_before);
  acknowledge(member, 1);
  inbox_.insert(inbox_.begin(), std::make_move_iterator(requests.begin()),
                std::make_move_iterator(requests.end()));
  work();
}

void HubRunner::reconfigure(const ServiceOptions& options) {
  chat::reconfigure(options_, options);
  hub_.set_limits(options_.hub);
  hub_.set_reserved_names(options_.reserved_names);
  work();
}

void HubRunner::publish() {
  counts_.members.store(hub_.members(), std::memory_order_relaxed);
  counts_.rooms.store(hub_.rooms(), std::memory_order_relaxed);
  counts_.history_bytes.store(hub_.history_bytes(), std::memory_order_relaxed);
}

void HubRunner::count_gone(PartReason why, std::size_t members_before) {
  if (hub_.members() == members_before) return;
  counts_.gone[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
}

ServiceCounters HubRunner::counters() const {
  ServiceCounters counters;
  counters.members = counts_.members.load(std::memory_order_relaxed);
  counters.rooms = counts_.rooms.load(std::memory_order_relaxed);
  counters.history_bytes = counts_.history_bytes.load(std::memory_order_relaxed);
  counters.commands = counts_.commands.load(std::memory_order_relaxed);
  counters.messages = counts_.messages.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < part_reason_count; ++i) {
    counters.gone[i] = counts_.gone[i].load(std::memory_order_relaxed);
  }
  return counters;
}

// Write-ahead: what was said in this batch is appended before flush() posts any delivery of it, so
// nobody hears a line that a restart would not know.
void HubRunner::write_journal() {
  if (journal_text_.empty()) return;
  Journal& journal = *options_.journal;
  if (journal.is_too_long()) {
    journal_text_.clear();
    hub_.for_each_message([this](std::string_view room, const Message& message) {
      append_record(room, message, journal_text_);
    });
    journal.rewrite(journal_text_);
    journal_text_.shrink_to_fit();
  } else {
    journal.append(journal_text_);
  }
  journal_text_.clear();
}

void HubRunner::acknowledge(MemberId member, std::size_t count) {
  ShardState& state = shards_[shard_of(member)];
  Deliveries& to = is_behind() ? state.withheld : state.outbox;
  to.push_back({.kind = Delivery::Kind::acknowledge,
                .count = static_cast<std::uint32_t>(count),
                .member = member});
}

bool HubRunner::is_behind() const {
  return std::any_of(shards_.begin(), shards_.end(), [this](const ShardState& state) {
    return state.unapplied_bytes > options_.unapplied_bytes_max;
  });
}

void HubRunner::flush() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    ShardState& state = shards_[i];
    if (state.outbox.empty()) continue;
    Deliveries batch = std::exchange(state.outbox, {});
    ChatShard* shard = state.shard;
    if (&shard->reactor() == &reactor_) {
      shard->apply(batch);
      continue;
    }
    std::size_t bytes = 0;
    for (const Delivery& delivery : batch) bytes += delivery_bytes + delivery.buffer.size();
    state.unapplied_bytes += bytes;
    shard->reactor().post([this, shard, i, bytes, batch = std::move(batch)] {
      shard->apply(batch);
      shard->post_to_hub([this, i, bytes] { applied(i, bytes); });
    });
  }
}

void HubRunner::applied(std::size_t index, std::size_t bytes) {
  shards_[index].unapplied_bytes -= bytes;
  if (is_behind()) return;
  for (ShardState& state : shards_) {
    std::move(state.withheld.begin(), state.withheld.end(), std::back_inserter(state.outbox));
    state.withheld.clear();
  }
  work();
}

// --- what the hub says ---

SharedBuffer HubRunner::written(DoorId door, const Event& event) {
  text_.clear();
  doors_[door]->write(event, text_);
  return SharedBuffer::copy_of(text_);
}

void HubRunner::send_to(MemberId member, const Event& event) {
  shards_[shard_of(member)].outbox.push_back({.kind = Delivery::Kind::to_member,
                                              .member = member,
                                              .buffer = written(door_of(member), event)});
}

void HubRunner::broadcast(RoomId room, MemberId except, const Event& event) {
  const bool is_message = event.kind == Event::Kind::said || event.kind == Event::Kind::emoted;
  if (is_message) counts_.messages.fetch_add(1, std::memory_order_relaxed);
  for (DoorId door = 0; door < doors_.size(); ++door) broadcast(door, room, except, event);
}

// Written once, if there is anybody to read it, and shared by all shards.
void HubRunner::broadcast(DoorId door, RoomId room, MemberId except, const Event& event) {
  const auto it = present_.find(audience_of(room, door));
  if (it == present_.end()) return;
  const bool is_exception_here = except != 0 && door_of(except) == door;
  SharedBuffer buffer;
  for (std::size_t i = 0; i < it->second.size(); ++i) {
    const bool only_except = is_exception_here && it->second[i] == 1 && shard_of(except) == i;
    if (it->second[i] == 0 || only_except) continue;
    if (!buffer) buffer = written(door, event);
    shards_[i].outbox.push_back({.kind = Delivery::Kind::to_audience,
                                 .is_presence = is_presence(event.kind),
                                 .member = except,
                                 .audience = it->first,
                                 .buffer = buffer});
  }
}

void HubRunner::entered(RoomId room, MemberId member) {
  const AudienceId audience = audience_of(room, door_of(member));
  std::vector<std::uint32_t>& counts = present_[audience];
  counts.resize(shards_.size());
  ++counts[shard_of(member)];
  shards_[shard_of(member)].outbox.push_back(
      {.kind = Delivery::Kind::enter, .member = member, .audience = audience});
}

void HubRunner::exited(RoomId room, MemberId member) {
  const AudienceId audience = audience_of(room, door_of(member));
  const auto it = present_.find(audience);
  --it->second[shard_of(member)];
  const auto is_zero = [](std::uint32_t count) { return count == 0; };
  if (std::all_of(it->second.begin(), it->second.end(), is_zero)) present_.erase(it);
  shards_[shard_of(member)].outbox.push_back(
      {.kind = Delivery::Kind::exit, .member = member, .audience = audience});
}

void HubRunner::verify(MemberId member, std::string_view name, std::string_view password) {
  const auto done = [this, member](PasswordResult result) {
    reactor_.post([this, member, result] { verified(member, result); });
  };
  if (options_.passwords == nullptr) return done(PasswordResult::wrong);
  options_.passwords->check(folded(name), std::string(password), done);
}

void HubRunner::kept(std::string_view room, const Message& message) {
  if (options_.journal != nullptr) append_record(room, message, journal_text_);
}

void HubRunner::dismissed(MemberId member) {
  shards_[shard_of(member)].outbox.push_back({.kind = Delivery::Kind::dismiss, .member = member});
}

}  // namespace tern::chat
