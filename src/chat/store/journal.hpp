// Journal: where history outlives the server.
//
//   THREAD  the hub's reactor, once it runs.
#pragma once

#include <string_view>

namespace tern::chat {

class Journal {
 public:
  virtual ~Journal() = default;
  // Records of what was said in one batch (record.hpp), before anybody hears of it. Failing is the
  // journal's own matter: the chat goes on.
  virtual void append(std::string_view records) = 0;
  // It has grown too long: rewrite() with what is still wanted is called instead of append().
  virtual bool is_too_long() const = 0;
  virtual void rewrite(std::string_view records) = 0;
};

}  // namespace tern::chat
