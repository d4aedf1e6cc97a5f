// Servers: from assembled to stopped, and what may still be said while they end. Only on kernels: a
// simulated network belongs to one thread.
#include "tern/server.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/stage.hpp"
#include "tests/unit/core/server_fixture.hpp"

using namespace tern;
using namespace tern::test;

namespace {

ServerOptions with_workers(unsigned workers) {
  ServerOptions options;
  options.workers = workers;
  return options;
}

// What was posted to the reactors of a server: each task has a share until it is destroyed.
struct Posted {
  std::vector<Reactor*> reactors;
  std::shared_ptr<int> ran = std::make_shared<int>(0);
  int posts = 0;

  void post_to_all() {
    for (Reactor* reactor : reactors) {
      ++posts;
      reactor->post([share = ran] { ++*share; });
    }
  }
};

}  // namespace

TEST_CASE("server life: once it was started, it neither listens nor starts again") {
  int made = 0;
  const auto make_counted = [&made](Reactor& reactor) {
    ++made;
    return make_echo(reactor);
  };
  const auto make_datagrams = [&made](Reactor&) {
    ++made;
    return std::make_unique<tool::DatagramEcho>();
  };
  const auto refuses = [&](Server& server) {
    const auto is_refused = [](const char* what, const std::function<void()>& call) {
      try {
        call();
        FAIL("it was not refused");
      } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::operation_not_permitted);
        CHECK(std::string(error.what()).starts_with(what));
      }
    };
    is_refused("listen() on 127.0.0.1:0: ", [&] { server.listen(loopback(), make_counted); });
    is_refused("listen_datagrams() on 127.0.0.1:0: ",
               [&] { server.listen_datagrams(loopback(), make_datagrams); });
    is_refused("start(): ", [&] { server.start(); });
  };
  Server server(with_workers(2));
  server.listen(loopback(), make_echo);
  server.start();
  refuses(server);
  server.drain(1h);
  refuses(server);
  server.join();
  refuses(server);
  CHECK(made == 0);
}

TEST_CASE("server life: in each state it may be asked, drained and stopped") {
  const auto use = [](Server& server) {
    CHECK(server.counters().size() == 2);
    CHECK(server.connections() == std::vector<std::size_t>{0, 0});
    server.drain(1h);
    CHECK(server.counters().size() == 2);
    server.stop();
    CHECK(server.counters().size() == 2);
  };
  Server server(with_workers(2));
  use(server);
  server.listen(loopback(), make_echo);
  use(server);
  server.start();
  use(server);
  server.join();
  use(server);
  server.join();
}

TEST_CASE("server life: before it starts, it tells what the last listen() left") {
  Limits limits;
  Server upstream;
  const Endpoint where = upstream.listen(loopback(), make_echo);
  Server server(with_workers(2));
  server.listen(loopback(), [&](Reactor& reactor) {
    auto protocol = std::make_unique<Recorder>();
    protocol->adopt(Connector(reactor, *protocol, limits).connect(where));
    return protocol;
  });
  for (const Counters& each : server.counters()) CHECK(each.open_connections == 1);
}

TEST_CASE("server life: its numbers are asked for by others all the while") {
  for (int round = 0; round < 20; ++round) {
    Server server(with_workers(3));
    std::atomic<bool> is_over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> askers;
    for (int i = 0; i < 2; ++i) {
      askers.emplace_back([&] {
        while (!is_over) {
          if (server.counters().size() != 3 || server.connections().size() != 3) ++wrong;
        }
      });
    }
    server.listen(loopback(), make_echo);
    server.start();
    if (round % 2 == 0) {
      server.drain(1h);
    } else {
      server.stop();
    }
    server.join();
    is_over = true;
    for (std::thread& asker : askers) asker.join();
    CHECK(wrong.load() == 0);
  }
}

TEST_CASE("server life: while it ends, closed() may post to every reactor") {
  // Connects at once, and tells everybody when that is over.
  class Telling final : public Protocol {
   public:
    Telling(Reactor& reactor, const Endpoint& peer, Posted& posted) : posted_(posted) {
      Connector(reactor, *this, limits_).connect(peer);
    }
    void received(Connection&, std::span<const std::byte>) override {}
    void closed(Connection&, CloseReason, const std::error_code&) override {
      posted_.post_to_all();
    }

   private:
    Limits limits_;
    Posted& posted_;
  };
  Posted posted;
  {
    Server upstream;
    const Endpoint where = upstream.listen(loopback(), make_echo);
    Server server(with_workers(3));
    server.listen(loopback(), [&](Reactor& reactor) {
      posted.reactors.push_back(&reactor);
      return std::make_unique<Telling>(reactor, where, posted);
    });
  }
  CHECK(posted.posts == 9);
  CHECK(*posted.ran == 0);
  CHECK(posted.ran.use_count() == 1);
}

TEST_CASE("server life: while it ends, a datagram socket's closed() may post to every reactor") {
  class Telling final : public DatagramProtocol {
   public:
    explicit Telling(Posted& posted) : posted_(posted) {}
    void received(DatagramSocket&, std::span<const Datagram>) override {}
    void closed(DatagramSocket&) override { posted_.post_to_all(); }

   private:
    Posted& posted_;
  };
  Posted posted;
  {
    Server server(with_workers(3));
    server.listen_datagrams(loopback(), [&](Reactor& reactor) {
      posted.reactors.push_back(&reactor);
      return std::make_unique<Telling>(posted);
    });
  }
  // As many sockets as this system lets share a port, each told to as many reactors.
  CHECK(posted.posts == static_cast<int>(posted.reactors.size() * posted.reactors.size()));
  CHECK(*posted.ran == 0);
  CHECK(posted.ran.use_count() == 1);
}

TEST_CASE("server life: while it ends, a task's destructor may post to every reactor") {
  // Posts more of its kind when it is destroyed, for some generations.
  class Reposting {
   public:
    Reposting(Posted& posted, int generations)
        : posted_(&posted), share_(posted.ran), generations_(generations) {}
    Reposting(Reposting&&) noexcept = default;
    Reposting(const Reposting&) = delete;
    Reposting& operator=(const Reposting&) = delete;
    ~Reposting() {
      if (share_ == nullptr || generations_ == 0) return;
      for (Reactor* reactor : posted_->reactors) {
        ++posted_->posts;
        reactor->post(Reposting(*posted_, generations_ - 1));
      }
    }
    void operator()() { ++*share_; }

   private:
    Posted* posted_;
    std::shared_ptr<int> share_;
    int generations_;
  };
  for (const unsigned workers : {1U, 3U}) {
    Posted posted;
    {
      Server server(with_workers(workers));
      server.listen(loopback(), [&](Reactor& reactor) {
        posted.reactors.push_back(&reactor);
        reactor.post(Reposting(posted, 2));
        return make_echo(reactor);
      });
    }
    CHECK(posted.posts == static_cast<int>(workers * workers + workers * workers * workers));
    CHECK(*posted.ran == 0);
    CHECK(posted.ran.use_count() == 1);
  }
}
