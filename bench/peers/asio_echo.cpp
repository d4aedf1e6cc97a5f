// Echo on standalone Asio, as its tutorials write it: a session that owns its buffer and itself,
// async_read_some followed by async_write. A session never reads while it writes, which bounds what
// it holds. Two things are tuned, as Asio's manual allows a single thread: no locks, and executors
// of a type known at compile time.
#include "peer.h"

#include <array>
#include <asio.hpp>
#include <csignal>
#include <memory>
#include <utility>

using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](std::error_code error, std::size_t received) {
          if (!error) self->write(received);
        });
  }

 private:
  void write(std::size_t received) {
    asio::async_write(socket_, asio::buffer(buffer_, received),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  Socket socket_;
  std::array<char, 16 * 1024>
      buffer_;  // Left uninitialised: only the pages that are used are touched.
};

static void accept_next(Acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, Socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket))->read();
    accept_next(acceptor);
  });
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
  asio::io_context context{ASIO_CONCURRENCY_HINT_UNSAFE};
  Acceptor acceptor{context, tcp::v4(), listener};
  asio::signal_set terminate{context, SIGTERM};
  terminate.async_wait([&context](std::error_code, int) { context.stop(); });
  accept_next(acceptor);
  peer_announce(listener, "tcp");
  context.run();
  return 0;
}
