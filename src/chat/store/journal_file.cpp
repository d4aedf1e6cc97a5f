#include "src/chat/store/journal_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "src/chat/store/record.hpp"
#include "src/support/error_text.hpp"
#include "src/support/log.hpp"

namespace tern::chat {
namespace {

using support::log_line;
using support::LogLevel;

// How long a disk that failed is left alone.
constexpr Duration retry_delay = std::chrono::seconds(5);

Time now() { return std::chrono::steady_clock::now(); }

}  // namespace

JournalFile::JournalFile(const JournalFileOptions& options)
    : options_(options),
      path_(options.directory + "/history"),
      bytes_wanted_max_(options.bytes_max) {
  std::filesystem::create_directories(options.directory);
  lock_ = std::make_unique<system::LockFile>(options.directory + "/lock");
  file_ = std::make_shared<system::DiskFile>(path_);
}

JournalFile::~JournalFile() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (options_.sync < Duration::max() && is_dirty_ && file_ != nullptr) file_->sync();
}

void JournalFile::load(const std::function<void(const std::string& room, Message message)>& keep) {
  std::ifstream stream(path_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::error_code unknown;
  if (!stream || text.size() != std::filesystem::file_size(path_, unknown)) {
    // What was not read must not be taken for a torn end.
    throw std::runtime_error(path_ + ": it cannot be read");
  }
  const RecordsRead read = read_records(text, keep);
  if (read.whole_bytes < text.size()) {
    if (const auto error = file_->truncate(read.whole_bytes)) {
      throw std::runtime_error(path_ +
                               ": the torn end cannot be cut off: " + support::describe(error));
    }
    log_line(LogLevel::warning, path_ + ": a torn record of " +
                                    std::to_string(text.size() - read.whole_bytes) +
                                    " bytes at its end was cut off");
  }
  if (read.damaged > 0) {
    log_line(LogLevel::warning,
             path_ + ": " + std::to_string(read.damaged) + " damaged records were skipped");
  }
  log_line(LogLevel::info, path_ + ": " + std::to_string(read.records) + " lines of history");
  bytes_ = read.whole_bytes;
  const bool syncs_later = options_.sync > Duration::zero() && options_.sync < Duration::max();
  if (syncs_later) thread_ = std::thread([this] { sync_now_and_then(); });
}

bool JournalFile::is_too_long() const {
  return has_failed_ ? now() >= retry_at_ : sync_has_failed_ || bytes_ > bytes_wanted_max_;
}

void JournalFile::append(std::string_view records) {
  if (has_failed_) return;  // it comes with the rewriting
  if (const auto error = file_->append(records)) return failed(error);
  bytes_ += records.size();
  written(records.size());
}

void JournalFile::written(std::size_t bytes) {
  if (bytes == 0) return;
  if (options_.sync == Duration::zero()) {
    if (const auto error = file_->sync()) failed(error);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!std::exchange(is_dirty_, true)) changed_.notify_all();
}

// What was written of a record that did not fit is taken back, so that the file is good as it is.
void JournalFile::failed(const std::error_code& error) {
  if (!std::exchange(has_failed_, true)) {
    log_line(LogLevel::error, path_ + ": " + support::describe(error) +
                                  "; the chat goes on, its history is in memory alone until "
                                  "there is room");
  }
  retry_at_ = now() + retry_delay;
  if (file_ != nullptr) file_->truncate(bytes_);
}

void JournalFile::rewrite(std::string_view records) {
  sync_has_failed_ = false;
  const std::string fresh_path = path_ + ".new";
  try {
    std::error_code error;
    {
      system::DiskFile fresh(fresh_path);
      error = fresh.truncate(0);
      if (!error) error = fresh.append(records);
      if (!error && options_.sync < Duration::max()) error = fresh.sync();
    }
    if (error) {
      std::error_code ignored;
      std::filesystem::remove(fresh_path, ignored);
      return failed(error);
    }
    const std::lock_guard lock(mutex_);
    file_.reset();  // some systems rename no open file
    std::filesystem::rename(fresh_path, path_, error);
    file_ = std::make_shared<system::DiskFile>(path_);
    if (error) throw std::system_error(error);
    if (options_.sync < Duration::max()) system::sync_directory(options_.directory);
  } catch (const std::system_error& error) {
    return failed(error.code());  // if there is no file now, the next attempt makes one
  }
  if (std::exchange(has_failed_, false)) {
    log_line(LogLevel::info, path_ + ": written again, with all that memory has of it");
  }
  bytes_ = records.size();
  bytes_wanted_max_ = std::max<std::uint64_t>(options_.bytes_max, 2 * bytes_);
}

// The hub does not wait for the disk.
void JournalFile::sync_now_and_then() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    changed_.wait(lock, [this] { return is_dirty_ || ended_; });
    if (changed_.wait_for(lock, options_.sync, [this] { return ended_; })) return;
    is_dirty_ = false;
    const std::shared_ptr<system::DiskFile> file = file_;
    lock.unlock();
    const std::error_code error = file == nullptr ? std::error_code() : file->sync();
    if (error) {
      log_line(LogLevel::error, path_ + ": the disk does not keep it: " + support::describe(error) +
                                    "; it will be written anew");
      sync_has_failed_ = true;
    }
    lock.lock();
  }
}

}  // namespace tern::chat
