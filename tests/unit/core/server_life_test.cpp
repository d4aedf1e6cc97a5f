// Servers: from assembled to stopped, and what may still be said while they end. Only on kernels: a
// simulated network belongs to one thread.
#include <memory>
#include <vector>

#include "tern/server.hpp"
#include "tests/support/stage.hpp"
#include "tools/tern/echo/protocol.hpp"

using namespace tern;
using namespace tern::test;

namespace {

std::unique_ptr<Protocol> make_echo(Reactor&) { return std::make_unique<tool::Echo>(); }

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
