// The kqueue backend where the kernel refuses its changes, as only a stand-in can be told to.
#include <doctest/doctest.h>

#include <cerrno>

#include "backends/kqueue/kqueue.hpp"
#include "backends/kqueue/stand_in/refuse.hpp"
#include "tests/support/backend_of.hpp"
#include "tests/support/loop.hpp"

namespace tern::test {
namespace {

void run(void (*body)()) {
  Case test_case("refused", "kqueue");
  const World world(backend_of<kqueue::Poller>());
  check_case(test_case, [body](Case&) { body(); });
  stand_in::refuse_changes(0, 0);
}

}  // namespace

TEST_CASE("kqueue: a change that finds no memory is made again") {
  run([] {
    Loop loop;
    for (const int refused : {1, 2, 3, 10}) {
      stand_in::refuse_changes(refused, ENOMEM);
      auto [client, server] = loop.pair();
      loop.receive(server);
      loop.write(client, "text");
      loop.until([&, &server = server] { return server.received == "text"; }, "the text");
    }
  });
}

TEST_CASE("kqueue: a lack of memory is waited for without spinning") {
  run([] {
    Loop loop;
    loop.listen();
    stand_in::refuse_changes(1'000'000'000, ENOMEM);
    loop.dial(loopback(1));
    const std::size_t turns = loop.turns_during(30ms);
    EXPECT_NOTE(turns <= 100, "turns: " + std::to_string(turns));
  });
}

TEST_CASE("kqueue: more changes than fit into one wait, many of them refused") {
  run([] {
    constexpr std::size_t count = 400;
    Loop loop;
    End& listener = loop.listen();
    loop.settle();
    stand_in::refuse_changes(500, ENOMEM);
    for (std::size_t i = 0; i < count; ++i) loop.dial(loop.local(listener));
    loop.until([&] { return listener.accepted.size() == count; }, "all connections");
  });
}

// Some systems refuse the filter for output where the peer has gone already.
TEST_CASE("kqueue: where a filter is refused, the socket says what is the matter") {
  run([] {
    Loop loop;
    End& listener = loop.listen();
    End& client = loop.dial(loop.local(listener));
    loop.until([&] { return client.connected && listener.accepted.size() == 1; }, "the pair");
    loop.write(client, "the last words");
    loop.finish_sending(client);
    loop.settle();
    const Socket accepted = listener.accepted.back();
    listener.accepted.pop_back();
    stand_in::refuse_changes(2, EPIPE);
    End& server = loop.attach(accepted);
    loop.receive(server);
    loop.until([&] { return server.ended; }, "the end");
    EXPECT_EQUAL(server.received, "the last words");
  });
}

}  // namespace tern::test
