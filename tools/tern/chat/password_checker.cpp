#include "tools/tern/chat/password_checker.hpp"

#include <system_error>
#include <utility>

#include "src/chat/service/password.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"

namespace tern::tool {
namespace {

Time now() { return std::chrono::steady_clock::now(); }

}  // namespace

PasswordChecker::~PasswordChecker() { stop(); }

void PasswordChecker::stop() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    questions_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PasswordChecker::set_hashes(std::map<std::string, std::string> hashes) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Reserved> names;
  for (auto& [name, hash] : hashes) {
    const auto before = names_.find(name);
    names.emplace(name, Reserved{std::move(hash), before == names_.end() ? support::TokenBucket()
                                                                         : before->second.wrong});
  }
  names_ = std::move(names);
}

void PasswordChecker::check(const std::string& name, std::string password,
                            std::function<void(chat::PasswordResult)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (questions_.size() < waiting_max) {
      try {
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
        questions_.push_back({name, std::move(password), std::move(done)});
        changed_.notify_all();
        return;
      } catch (const std::system_error& error) {
        log(LogLevel::error, "no thread to look at passwords: {}", describe(error.code()));
      }
    }
  }
  done(chat::PasswordResult::busy);
}

void PasswordChecker::run() {
  for (;;) {
    Question question;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || !questions_.empty(); });
      if (ended_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    const chat::PasswordResult result = result_of(question);
    const std::lock_guard lock(mutex_);  // stop() waits for an answer that is being given
    if (!ended_) question.done(result);
  }
}

chat::PasswordResult PasswordChecker::result_of(const Question& question) {
  std::string hash;
  {
    const std::lock_guard lock(mutex_);
    const auto it = names_.find(question.name);
    if (it == names_.end()) return chat::PasswordResult::wrong;
    if (it->second.wrong.wait(wrong_rate, now()) > Duration::zero())
      return chat::PasswordResult::busy;
    hash = it->second.hash;
  }
  bool is_right = false;
  try {
    is_right = is_password_of(hash, question.password);
  } catch (const std::system_error& error) {
    log(LogLevel::error, "the password of {} cannot be looked at: {}", question.name, error.what());
    return chat::PasswordResult::busy;
  }
  if (is_right) return chat::PasswordResult::right;
  log(LogLevel::warning, "a wrong password for {}", question.name);
  const std::lock_guard lock(mutex_);
  if (const auto it = names_.find(question.name); it != names_.end()) {
    it->second.wrong.take(wrong_rate, now());
  }
  return chat::PasswordResult::wrong;
}

}  // namespace tern::tool
