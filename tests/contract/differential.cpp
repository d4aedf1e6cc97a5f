// One script, several worlds, one transcript: what a caller of the contract sees of each channel is
// the same on a kernel and on the simulated network, if one does not look at the chunks.
//
// The script is drawn from a seed: conversations that each go through their steps in order, taken
// up in random order. A step ends when what it must cause has been reported, so that the transcript
// of a channel does not depend on time. Run with TERN_TEST_SEED to see another script.
#include <array>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

enum class Step : std::uint8_t {
  client_sends,
  server_sends,
  both_send,
  server_pauses_through_a_send,
  client_half_closes,
  server_half_closes,
  client_resets,
  client_closes,
  server_closes,
};

struct Script {
  struct Action {
    std::size_t conversation;
    Step step;
    std::size_t bytes;
  };
  std::size_t conversations = 0;
  std::vector<Action> actions;
};

// Only steps whose outcome is certain: nobody sends after its half-close or to one that is gone.
Script draw_script(Random& random) {
  struct Conversation {
    bool client_sends = true;
    bool server_sends = true;
    bool over = false;
  };
  Script script;
  script.conversations = 3 + random.below(8);
  std::vector<Conversation> state(script.conversations);
  for (std::size_t count = 20 + random.below(100); count > 0; --count) {
    const std::size_t index = random.below(script.conversations);
    Conversation& conversation = state[index];
    if (conversation.over) continue;
    const auto step = static_cast<Step>(random.below(9));
    const bool client = conversation.client_sends;
    const bool server = conversation.server_sends;
    switch (step) {
      case Step::client_sends:
      case Step::server_pauses_through_a_send:
        if (!client) continue;
        break;
      case Step::server_sends:
        if (!server) continue;
        break;
      case Step::both_send:
        if (!client || !server) continue;
        break;
      case Step::client_half_closes:
        if (!client) continue;
        conversation.client_sends = false;
        break;
      case Step::server_half_closes:
        if (!server) continue;
        conversation.server_sends = false;
        break;
      // After its own end a peer's reset is not reported any more, and need not be.
      case Step::client_resets:
      case Step::client_closes:
        if (!client || random.below(3) != 0) continue;
        conversation.over = true;
        break;
      case Step::server_closes:
        if (!server || random.below(3) != 0) continue;
        conversation.over = true;
        break;
    }
    script.actions.push_back({index, step, 1 + random.below(random.one_in(5) ? 500'000 : 3000)});
  }
  return script;
}

class Player {
 public:
  std::string play(const Script& script) {
    listener_ = &loop_.listen();
    transcripts_.resize(2 * script.conversations);
    for (std::size_t index = 0; index < script.conversations; ++index) {
      auto [client, server] = loop_.pair_through(*listener_);
      write_down(client, 2 * index);
      write_down(server, 2 * index + 1);
      loop_.receive(client);
      loop_.receive(server);
      conversations_.push_back({client, server});
    }
    for (const Script::Action& action : script.actions) perform(action);
    // Both in the same moment, so that neither hears of the other's.
    for (auto& [client, server] : conversations_) {
      for (End* end : {&client, &server}) {
        if (!end->closing) loop_.close(*end);
      }
    }
    for (auto& [client, server] : conversations_) {
      loop_.until([&, &left = client, &right = server] { return left.closed && right.closed; },
                  "the closes");
    }
    std::string all;
    for (std::size_t index = 0; index < transcripts_.size(); ++index) {
      all += std::to_string(index / 2) + (index % 2 == 0 ? " client:" : " server:") +
             transcripts_[index].text + "\n";
    }
    return all;
  }

 private:
  // What one end saw. Bytes run on in one entry until something else happens.
  struct Transcript {
    std::string text;
    std::uint64_t bytes = 0;
    std::uint64_t hash = 0;
  };

  void write_down(End& end, std::size_t index) {
    end.keep_bytes = false;
    end.then = [this, index](End&, const Completion& completion) {
      Transcript& transcript = transcripts_[index];
      if (completion.operation == Operation::send && !completion.error) return;
      if (completion.operation == Operation::receive && !completion.bytes.empty()) {
        for (const std::byte byte : completion.bytes) {
          transcript.hash = transcript.hash * 31 + static_cast<std::uint64_t>(byte);
        }
        transcript.bytes += completion.bytes.size();
        return;
      }
      if (transcript.bytes > 0) {
        transcript.text +=
            " " + std::to_string(transcript.bytes) + "#" + std::to_string(transcript.hash);
      }
      transcript.bytes = 0;
      constexpr std::array names = {"accept", "connect", "receive", "send", "close"};
      transcript.text += std::string(" ") + names[static_cast<std::size_t>(completion.operation)];
      if (completion.error) {
        const int condition = completion.error.default_error_condition().value();
        transcript.text += "=" + std::to_string(condition);
      } else if (completion.operation == Operation::receive) {
        transcript.text += "=end";
      }
    };
  }

  void write(End& from, End& to, std::size_t bytes) {
    goals_[&to] += bytes;
    loop_.write(from, Pattern(bytes).text(0, bytes));
  }

  // Until everything that was written has been taken and received.
  void settle(End& client, End& server) {
    loop_.until(
        [&] {
          return client.received_count == goals_[&client] &&
                 server.received_count == goals_[&server] && Loop::written(client) &&
                 Loop::written(server);
        },
        "what was sent");
  }

  void finish(End& end) {
    loop_.until([&] { return end.finished(); }, "the peer's end");
  }

  void perform(const Script::Action& action) {
    auto& [client, server] = conversations_[action.conversation];
    switch (action.step) {
      case Step::client_sends:
        write(client, server, action.bytes);
        break;
      case Step::server_sends:
        write(server, client, action.bytes);
        break;
      case Step::both_send:
        write(client, server, action.bytes);
        write(server, client, action.bytes + 1);
        break;
      case Step::server_pauses_through_a_send:
        loop_.stop(server);
        write(client, server, action.bytes);
        loop_.turn(Duration::zero());
        loop_.receive(server);
        break;
      case Step::client_half_closes:
        loop_.shutdown_send(client);
        finish(server);
        break;
      case Step::server_half_closes:
        loop_.shutdown_send(server);
        finish(client);
        break;
      case Step::client_resets:
        loop_.reset(client);
        finish(server);
        return;
      case Step::client_closes:
        loop_.close(client);
        finish(server);
        return;
      case Step::server_closes:
        loop_.close(server);
        finish(client);
        return;
    }
    settle(client, server);
  }

  Loop loop_;
  End* listener_ = nullptr;
  std::vector<Loop::Pair> conversations_;
  std::vector<Transcript> transcripts_;
  std::unordered_map<const End*, std::uint64_t> goals_;
};

}  // namespace

CONTRACT_CASE(same_transcript_as_the_quiet_simulated_network) {
  for (std::size_t count = Case::scaled(20); count > 0; --count) {
    const std::uint64_t seed = run.random().next();
    Random random(seed);
    const Script script = draw_script(random);
    const std::string here = Player().play(script);
    std::string there;
    {
      const World quiet = worlds::simulated(seed);
      there = Player().play(script);
    }
    EXPECT_NOTE(here == there, "script " + std::to_string(seed) + "\n--- here\n" + here +
                                   "--- simulated\n" + there);
  }
}

}  // namespace tern::test
