// JournalFile: the journal of a chat on a disk: DIR/history, which is appended to, and DIR/lock.
//
//   What somebody has heard has been handed to the operating system before (write(2)): it survives
//   the end of this process in whatever way. When it survives a crash of the machine is a matter
//   of `sync`: zero: before anybody hears it; otherwise at most so long afterwards; never, if that
//   is Duration::max().
//   A record that was torn is cut off at start. When the disk is full, or fails, that is logged and
//   the chat goes on; once there is room again all that memory still has is written anew.
//
//   THREAD  Journal's; it has a thread of its own that syncs.
//   ERRORS  The constructor throws std::system_error and load() std::runtime_error; what fails
//           later is logged.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "backends/system/disk_file.hpp"
#include "src/chat/hub/hub.hpp"
#include "src/chat/store/journal.hpp"
#include "tern/time.hpp"

namespace tern::chat {

struct JournalFileOptions {
  std::string directory;  // made if it does not exist
  Duration sync = std::chrono::seconds(1);
  // A longer file is written anew with what memory has of it.
  std::size_t bytes_max = 64 * 1024 * 1024;
};

class JournalFile final : public Journal {
 public:
  // Throws std::system_error when the directory cannot be used; device_or_resource_busy: another
  // server uses it.
  explicit JournalFile(const JournalFileOptions& options);
  ~JournalFile() override;

  // Reads what is there, cuts off what is torn, and begins to sync: on a thread of its own, so
  // signals must have been taken care of. Once. Throws what is wrong with the file, by its path.
  void load(const std::function<void(const std::string& room, Message message)>& keep);

  void append(std::string_view records) override;
  bool is_too_long() const override;
  void rewrite(std::string_view records) override;

 private:
  void failed(const std::error_code& error);
  void written(std::size_t bytes);
  void sync_now_and_then();

  const JournalFileOptions options_;
  const std::string path_;
  std::unique_ptr<system::LockFile> lock_;
  std::shared_ptr<system::DiskFile> file_;  // null while it has failed and cannot be opened
  std::uint64_t bytes_ = 0;                 // good ones
  std::uint64_t bytes_wanted_max_;
  bool has_failed_ = false;
  Time retry_at_{};
  // The kernel may have dropped what it could not write: all is written anew.
  std::atomic<bool> sync_has_failed_ = false;

  std::mutex mutex_;  // of what follows, and of file_ where it is replaced
  std::condition_variable changed_;
  bool is_dirty_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace tern::chat
