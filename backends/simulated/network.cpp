#include "backends/simulated/network.hpp"

#include <algorithm>
#include <utility>

namespace tern::simulated {

namespace {

thread_local Network* current_network = nullptr;

}  // namespace

Network::Network(std::uint64_t seed, const Faults& faults, Style style)
    : seed_(seed), simulation_(seed, faults, style), previous_(current_network) {
  current_network = this;
}

Network::Network(Default)
    : seed_(1),
      simulation_(1, Faults::none(), Style::readiness),
      is_default_(true),
      blocks_(true) {}

Network::~Network() {
  // The default network goes with its thread, when nothing of it can be used any more.
  if (is_default_) return;
  require(participants_.empty(), "a network is destroyed after its pollers");
  require(current_network == this, "networks are destroyed in the reverse order");
  current_network = previous_;
}

Network& Network::current() {
  if (current_network != nullptr) return *current_network;
  static thread_local Network of_this_thread{Default{}};
  return of_this_thread;
}

std::size_t Network::pending_operations() const {
  std::size_t count = 0;
  for (const Participant* participant : participants_) count += participant->pending_operations();
  return count;
}

void Network::leave(const Participant& participant) { std::erase(participants_, &participant); }

Socket Network::open(std::shared_ptr<Object> object, std::error_code& error) {
  if (open_sockets_ >= simulation_.faults.sockets_max) {
    error = std::make_error_code(std::errc::too_many_files_open);
    return {};
  }
  if (free_handles_.empty()) {
    free_handles_.insert(static_cast<std::intptr_t>(objects_.size()));
    objects_.emplace_back();
  }
  object->handle = *free_handles_.begin();
  free_handles_.erase(free_handles_.begin());
  ++open_sockets_;
  const Socket socket = object->socket();
  objects_[static_cast<std::size_t>(socket.handle)] = std::move(object);
  return socket;
}

std::shared_ptr<Object> Network::object(Socket socket) const {
  const auto handle = static_cast<std::size_t>(socket.handle);
  if (socket.handle < 0 || handle >= objects_.size()) return nullptr;
  const std::shared_ptr<Object>& object = objects_[handle];
  return object != nullptr && object->kind == socket.kind ? object : nullptr;
}

void Network::close(const std::shared_ptr<Object>& object) {
  require(object != nullptr && object->handle >= 0, "a socket is closed once");
  book(object->kind).release(*object);
  free_handles_.insert(object->handle);
  objects_[static_cast<std::size_t>(std::exchange(object->handle, -1))].reset();
  --open_sockets_;
  object->watcher = nullptr;
  if (object->kind == SocketKind::stream) static_cast<Stream&>(*object).close();
  if (object->kind == SocketKind::listener) static_cast<Listener&>(*object).close();
  // A descriptor is free: whoever could not accept for want of one may try again.
  for (const std::weak_ptr<Listener>& held : std::exchange(held_listeners_, {})) {
    const auto listener = held.lock();
    if (listener != nullptr && listener->is_held) listener->release();
  }
}

void Network::bind(Object& object, const Endpoint& wish, BindRules rules, std::error_code& error) {
  const Endpoint bound = book(object.kind).bind(wish, object, rules, error);
  if (!error) object.local = bound;
}

Socket Network::accept(Listener& listener, std::error_code& error) {
  if (simulation_.random.chance(simulation_.faults.accept_error)) {
    const std::errc why = pick_accept_error();
    error = std::make_error_code(why);
    if (why != std::errc::connection_aborted) {
      hold(listener);
      return {};
    }
    // The one that waited has gone: it is taken out of the queue and not shown to anybody.
    listener.queue.front()->resets_on_close = true;
    listener.queue.front()->close();
    listener.queue.pop_front();
    return {};
  }
  const Socket socket = open(listener.queue.front(), error);
  if (error) {
    hold(listener);
    return {};
  }
  listener.queue.pop_front();
  return socket;
}

void Network::hold(Listener& listener) {
  listener.hold();
  held_listeners_.push_back(listener.weak_from_this());
}

std::errc Network::pick_accept_error() {
  switch (simulation_.random.below(5)) {
    case 0:
      return std::errc::too_many_files_open;
    case 1:
      return std::errc::too_many_files_open_in_system;
    case 2:
      return std::errc::no_buffer_space;
    case 3:
      return std::errc::not_enough_memory;
    default:
      return std::errc::connection_aborted;
  }
}

}  // namespace tern::simulated
