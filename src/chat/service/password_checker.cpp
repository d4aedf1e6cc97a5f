#include "src/chat/service/password_checker.hpp"

#include <system_error>
#include <utility>

#include "src/chat/service/password_hash.hpp"
#include "src/support/error_text.hpp"
#include "src/support/log.hpp"

namespace tern::chat {
namespace {

using support::log_line;
using support::LogLevel;

Time steady_now() { return std::chrono::steady_clock::now(); }

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
                            std::function<void(PasswordResult)> done) {
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
        log_line(LogLevel::error,
                 "no thread to look at passwords: " + support::describe(error.code()));
      }
    }
  }
  done(PasswordResult::busy);
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
    const PasswordResult result = result_of(question);
    const std::lock_guard lock(mutex_);  // stop() waits for an answer that is being given
    if (!ended_) question.done(result);
  }
}

PasswordResult PasswordChecker::result_of(const Question& question) {
  std::string hash;
  {
    const std::lock_guard lock(mutex_);
    const auto it = names_.find(question.name);
    if (it == names_.end()) return PasswordResult::wrong;
    if (it->second.wrong.wait(wrong_rate, steady_now()) > Duration::zero())
      return PasswordResult::busy;
    hash = it->second.hash;
  }
  bool is_right = false;
  try {
    is_right = is_password_of(hash, question.password);
  } catch (const std::system_error& error) {
    log_line(LogLevel::error,
             "the password of " + question.name + " cannot be looked at: " + error.what());
    return PasswordResult::busy;
  }
  if (is_right) return PasswordResult::right;
  log_line(LogLevel::warning, "a wrong password for " + question.name);
  const std::lock_guard lock(mutex_);
  if (const auto it = names_.find(question.name); it != names_.end()) {
    it->second.wrong.take(wrong_rate, steady_now());
  }
  return PasswordResult::wrong;
}

}  // namespace tern::chat
