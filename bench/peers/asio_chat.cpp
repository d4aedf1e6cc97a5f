// A chat on standalone Asio in the manner of its example chat_server.cpp: a room with a set of
// participants, a queue of messages for each, and one async_write at a time. Lines take the place
// of the example's messages with a length, and nobody hears itself. A message is shared by all who
// hear it, which the example copies; executors are tuned as in asio_echo.cpp.
#include "peer.h"

#include <asio.hpp>
#include <csignal>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>

using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Message = std::shared_ptr<const std::string>;

class Participant : public std::enable_shared_from_this<Participant> {
 public:
  using Room = std::set<std::shared_ptr<Participant>>;

  Participant(Socket socket, Room& room) : socket_(std::move(socket)), room_(room) {}

  void join() {
    room_.insert(shared_from_this());
    read();
  }

  void deliver(const Message& message) {
    const bool is_writing = !queue_.empty();
    queue_.push_back(message);
    if (!is_writing) write();
  }

 private:
  void read() {
    asio::async_read_until(socket_, asio::dynamic_buffer(input_), '\n',
                           [self = shared_from_this()](std::error_code error, std::size_t bytes) {
                             if (error) {
                               self->room_.erase(self);
                               return;
                             }
                             const auto message =
                                 std::make_shared<const std::string>(self->input_.substr(0, bytes));
                             self->input_.erase(0, bytes);
                             for (const auto& participant : self->room_) {
                               if (participant != self) participant->deliver(message);
                             }
                             self->read();
                           });
  }

  void write() {
    asio::async_write(socket_, asio::buffer(*queue_.front()),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (error) {
                          self->room_.erase(self);
                          return;
                        }
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) self->write();
                      });
  }

  Socket socket_;
  Room& room_;
  std::string input_;
  std::deque<Message> queue_;
};

static void accept_next(Acceptor& acceptor, Participant::Room& room) {
  acceptor.async_accept([&](std::error_code error, Socket socket) {
    if (!error) std::make_shared<Participant>(std::move(socket), room)->join();
    accept_next(acceptor, room);
  });
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
  asio::io_context context{ASIO_CONCURRENCY_HINT_UNSAFE};
  Acceptor acceptor{context, tcp::v4(), listener};
  Participant::Room room;
  asio::signal_set terminate{context, SIGTERM};
  terminate.async_wait([&context](std::error_code, int) { context.stop(); });
  accept_next(acceptor, room);
  peer_announce(listener, "tcp");
  context.run();
  return 0;
}
