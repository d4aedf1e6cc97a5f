#include "src/chat/service/shard.hpp"

#include <algorithm>

#include "src/chat/service/session.hpp"

namespace tern::chat {
namespace {

tern::Limits connection_limits(const ServiceOptions& options) {
  tern::Limits limits;
  limits.output_high_bytes = options.output_soft_bytes;
  limits.output_low_bytes = options.output_soft_bytes / 4;
  // A session ends before that, with a reason for its reader.
  limits.output_bytes_max = options.output_hard_bytes + notice_bytes_max;
  limits.idle_timeout = Duration::zero();  // members may listen for hours
  return limits;
}

}  // namespace

ChatShard::ChatShard(std::size_t index, const ServiceOptions& options, Reactor& reactor,
                     HubRunner& runner)
    : index_(index),
      options_(options),
      limits_(connection_limits(options)),
      reactor_(reactor),
      runner_(runner),
      sweep_timer_([this] { sweep(); }) {}

ChatShard::~ChatShard() = default;

void ChatShard::open(Connection& connection, DoorId door) {
  const MemberId id = member_id(index_, door, ++members_made_);
  auto session = std::make_unique<Session>(*this, runner_.door(door), connection, id);
  connection.user_data = session.get();
  connection.set_limits(limits_);
  Session& opened = *sessions_.emplace(id, std::move(session)).first->second;
  start_sweeping();
  if (is_draining_) return opened.drain();
  submit({{.kind = Request::Kind::arrive, .member = id}});
}

void ChatShard::close(Session& session) {
  while (!session.places.empty()) exit(session, session.places.back().audience);
  const MemberId id = session.id();
  const bool is_news = !session.hub_has_let_go();
  sessions_.erase(id);
  if (is_news) submit({{.kind = Request::Kind::gone, .member = id, .why = PartReason::lost}});
}

void ChatShard::submit(Requests requests) {
  if (is_draining_) return;
  post_to_hub([runner = &runner_, requests = std::move(requests)]() mutable {
    runner->take(std::move(requests));
  });
}

// --- what the hub says ---

void ChatShard::apply(const Deliveries& deliveries) {
  if (is_draining_) return;
  for (const Delivery& delivery : deliveries) apply(delivery);
}

void ChatShard::apply(const Delivery& delivery) {
  if (delivery.kind == Delivery::Kind::to_audience) return to_audience(delivery);
  const auto it = sessions_.find(delivery.member);
  if (it == sessions_.end()) return;  // it has left meanwhile
  Session& session = *it->second;
  switch (delivery.kind) {
    case Delivery::Kind::to_member:
      return session.deliver(delivery.buffer, false);
    case Delivery::Kind::enter:
      return enter(session, delivery.audience);
    case Delivery::Kind::exit:
      return exit(session, delivery.audience);
    case Delivery::Kind::dismiss:
      return session.dismiss();
    case Delivery::Kind::acknowledge:
      return session.acknowledge(delivery.count);
    case Delivery::Kind::to_audience:
      return;
  }
}

void ChatShard::to_audience(const Delivery& delivery) {
  const auto it = audiences_.find(delivery.audience);
  if (it == audiences_.end()) return;
  deliveries_.fetch_add(it->second.size(), std::memory_order_relaxed);
  // Nobody leaves the list meanwhile: connections end in a turn of their own.
  for (Session* session : it->second) {
    if (session->id() == delivery.member) continue;
    session->deliver(delivery.buffer, delivery.is_presence);
  }
}

void ChatShard::enter(Session& session, AudienceId audience) {
  std::vector<Session*>& list = audiences_[audience];
  session.places.push_back({audience, list.size()});
  list.push_back(&session);
}

void ChatShard::exit(Session& session, AudienceId audience) {
  const auto place = session.place_in(audience);
  if (place == session.places.end()) return;
  const auto it = audiences_.find(audience);
  std::vector<Session*>& list = it->second;
  Session* last = list.back();
  list[place->index] = last;
  last->place_in(audience)->index = place->index;
  list.pop_back();
  session.places.erase(place);
  if (list.empty()) audiences_.erase(it);
}

// --- time, and the end ---

// One look at everybody now and then costs less than a timer for each.
void ChatShard::start_sweeping() {
  if (sweep_timer_.armed() || sessions_.empty()) return;
  Duration shortest = Duration::max();
  for (const Duration limit : {options_.ping_interval, options_.idle_timeout}) {
    if (limit > Duration::zero()) shortest = std::min(shortest, limit);
  }
  if (shortest == Duration::max()) return;
  sweep_timer_.arm_after(reactor_, std::max<Duration>(shortest / 8, std::chrono::milliseconds(1)));
}

void ChatShard::sweep() {
  const Time now = reactor_.now();
  for (const auto& [id, session] : sessions_) session->check_timeouts(now);
  start_sweeping();
}

void ChatShard::reconfigure(const ServiceOptions& options) {
  chat::reconfigure(options_, options);
  limits_ = connection_limits(options_);
  sweep_timer_.cancel();
  start_sweeping();
}

void ChatShard::drain() {
  is_draining_ = true;
  for (const auto& [id, session] : sessions_) session->drain();
}

}  // namespace tern::chat
