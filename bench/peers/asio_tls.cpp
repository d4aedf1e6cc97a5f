// TLS echo on standalone Asio, as its tutorials write it; tuned as asio_echo.cpp is.
#include "peer_tls.h"

#include <array>
#include <asio.hpp>
#include <asio/ssl.hpp>
#include <csignal>
#include <memory>
#include <utility>

using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  void start() {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](std::error_code error) {
                              if (!error) self->read();
                            });
  }

 private:
  void read() {
    stream_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](std::error_code error, std::size_t received) {
          if (!error) return self->write(received);
          if (error == asio::error::eof) self->stop();
        });
  }

  void write(std::size_t received) {
    asio::async_write(stream_, asio::buffer(buffer_, received),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  void stop() {
    stream_.async_shutdown([self = shared_from_this()](std::error_code) {});
  }

  asio::ssl::stream<Socket> stream_;
  std::array<char, 16 * 1024>
      buffer_;  // Left uninitialised: only the pages that are used are touched.
};

static void accept_next(Acceptor& acceptor, asio::ssl::context& context) {
  acceptor.async_accept([&](std::error_code error, Socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket), context)->start();
    accept_next(acceptor, context);
  });
}

int main(int argument_count, char** arguments) {
  const PeerTls tls = peer_tls_arguments(argument_count, arguments);
  asio::ssl::context context{asio::ssl::context::tls_server};
  peer_tls_configure(context.native_handle(), &tls);
  const int listener = peer_listen(tls.port);
  asio::io_context loop{ASIO_CONCURRENCY_HINT_UNSAFE};
  Acceptor acceptor{loop, tcp::v4(), listener};
  asio::signal_set terminate{loop, SIGTERM};
  terminate.async_wait([&loop](std::error_code, int) { loop.stop(); });
  accept_next(acceptor, context);
  peer_announce(listener, "tls");
  loop.run();
  return 0;
}
