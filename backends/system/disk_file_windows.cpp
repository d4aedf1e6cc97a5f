#include <fcntl.h>
#include <io.h>
#include <share.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "backends/system/disk_file.hpp"

namespace tern::system {
namespace {

std::error_code last_disk_error() { return {errno, std::generic_category()}; }

int open_file(const std::string& path, int share) {
  int descriptor = -1;
  const int error = ::_sopen_s(&descriptor, path.c_str(),
                               _O_RDWR | _O_APPEND | _O_CREAT | _O_BINARY | _O_NOINHERIT, share,
                               _S_IREAD | _S_IWRITE);
  if (error != 0) throw std::system_error({error, std::generic_category()}, path);
  return descriptor;
}

}  // namespace

DiskFile::DiskFile(const std::string& path) : descriptor_(open_file(path, _SH_DENYNO)) {}

DiskFile::~DiskFile() { ::_close(descriptor_); }

std::error_code DiskFile::append(std::string_view bytes) {
  static constexpr std::size_t bytes_at_once = 1024 * 1024;
  while (!bytes.empty()) {
    const auto count = static_cast<unsigned>(std::min(bytes.size(), bytes_at_once));
    const int written = ::_write(descriptor_, bytes.data(), count);
    if (written < 0) return last_disk_error();
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::error_code DiskFile::truncate(std::uint64_t bytes) {
  const int error = ::_chsize_s(descriptor_, static_cast<long long>(bytes));
  return error == 0 ? std::error_code() : std::error_code(error, std::generic_category());
}

std::error_code DiskFile::sync() {
  return ::_commit(descriptor_) == 0 ? std::error_code() : last_disk_error();
}

// Who has it open shares it with nobody.
LockFile::LockFile(const std::string& path) try : descriptor_(open_file(path, _SH_DENYRW)) {
} catch (const std::system_error& error) {
  if (error.code() != std::errc::permission_denied) throw;
  throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy), path);
}

LockFile::~LockFile() { ::_close(descriptor_); }

// NTFS writes names to its own journal.
std::error_code sync_directory(const std::string&) { return {}; }

}  // namespace tern::system
