// PasswordChecker: looks at the passwords of a chat on a thread of its own, one at a time.
//
//   Bounded: at most `waiting_max` wait; what comes then is answered "busy". After ten wrong ones a
//   name's password is looked at once in six seconds, whoever tries: with many connections, too,
//   nobody tries more than 15,000 a day.
//   THREAD  check(): one at a time. set_hashes(): any. stop(): none of the others after it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "src/chat/service/service.hpp"
#include "src/support/token_bucket.hpp"

namespace tern::chat {

class PasswordChecker final : public Passwords {
 public:
  static constexpr std::size_t waiting_max = 64;
  static constexpr support::TokenRate wrong_rate{std::chrono::seconds(6), 10};

  PasswordChecker() = default;
  ~PasswordChecker() override;
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  // By folded name. What has been counted for a name stays, as long as it is reserved.
  void set_hashes(std::map<std::string, std::string> hashes);
  void check(const std::string& name, std::string password,
             std::function<void(PasswordResult)> done) override;
  // No answer is given after this.
  void stop();

 private:
  struct Reserved {
    std::string hash;
    support::TokenBucket wrong;
  };
  struct Question {
    std::string name;
    std::string password;
    std::function<void(PasswordResult)> done;
  };

  void run();
  PasswordResult result_of(const Question& question);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Reserved> names_;
  std::deque<Question> questions_;
  bool ended_ = false;
  std::thread thread_;  // from the first question on: signals have been taken care of by then
};

}  // namespace tern::chat
