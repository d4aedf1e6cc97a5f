#include "src/chat/doors/lines/line_door.hpp"

#include "src/support/line_reader.hpp"

namespace tern::chat {
namespace {

class LineDoorReader final : public DoorReader {
 public:
  void feed(std::string_view bytes) override { lines_.feed(bytes); }

  bool next(Command& command) override {
    return take(command, [this](std::string_view& line) { return lines_.next(line); });
  }
  bool finish(Command& command) override {
    return take(command, [this](std::string_view& line) { return lines_.finish(line); });
  }
  std::size_t held_bytes() const override { return lines_.held_bytes(); }

 private:
  using Got = support::LineReader::Got;

  // The first line that says something.
  template <class Next>
  static bool take(Command& command, const Next& next) {
    std::string_view line;
    for (Got got = next(line); got != Got::nothing; got = next(line)) {
      if (got == Got::too_long) {
        command = too_long_line();
        return true;
      }
      if (parse_line(line, command)) return true;
    }
    return false;
  }

  support::LineReader lines_{line_bytes_max};
};

std::string_view notice_text(Notice notice) {
  switch (notice) {
    case Notice::ping:
      return "ping";
    case Notice::slow_down:
      return "slow down: your lines wait for their turn";
    case Notice::going_down:
      return "the server is going down; goodbye";
  }
  return "";
}

}  // namespace

std::unique_ptr<DoorReader> LineDoor::make_reader() const {
  return std::make_unique<LineDoorReader>();
}

void LineDoor::write_notice(Notice notice, std::string& out) const {
  out.append("-- ").append(notice_text(notice)).append("\n");
}

void LineDoor::write_farewell(PartReason reason, std::string& out) const {
  out.append("-- ").append(row_of(reason).farewell).append("\n");
}

}  // namespace tern::chat
