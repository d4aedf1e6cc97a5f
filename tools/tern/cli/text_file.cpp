#include "tools/tern/cli/text_file.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "tools/tern/cli/exit_codes.hpp"

namespace tern::tool {

std::string read_text(const std::string& option, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.empty()) {
    throw CommandError(exit_configuration,
                       fmt::format("{} {}: it cannot be read, or is empty", option, path));
  }
  return text;
}

void write_new_file(const std::string& path, const std::string& text, bool secret) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    throw CommandError(exit_cannot_create,
                       fmt::format("{} exists; remove it, or write another --out", path));
  }
  // "x": nobody else's file, even if it came into being just now.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wx"),
                                                             std::fclose);
  if (file == nullptr) {
    throw CommandError(exit_cannot_create, fmt::format("{} cannot be created: {}", path,
                                                       describe({errno, std::generic_category()})));
  }
  if (secret) {
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_read | perms::owner_write, error);
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fflush(file.get()) == 0;
  if (!written || error) {
    throw CommandError(exit_cannot_create, fmt::format("{} cannot be written", path));
  }
}

}  // namespace tern::tool
