// AddressBook: who is bound where. A network has one for streams with listeners and one for
// datagrams, so that one port number serves both.
//
//   This machine has 127.0.0.0/8, 10.0.0.0/8, ::1 and every Unix path; nothing else can be bound.
//   A port of 0 becomes the next free one from 32768 on.
//   As on a real system the file of a Unix socket outlives it: nobody answers there, and another
//   may take its place. All folders exist, but nothing lies below a name that ends in ".sock".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "backends/simulated/object.hpp"

namespace tern::simulated {

struct BindRules {
  bool is_shared = false;  // SO_REUSEPORT: others who also say so may have the same address
  bool v6_only = true;     // [::] is not 0.0.0.0 too
};

class AddressBook {
 public:
  static constexpr std::uint16_t first_port = 32768;
  static constexpr std::uint16_t last_port = 60999;

  // Enters the object. Returns where it is bound now, or sets `error`: address_in_use,
  // address_not_available, no_such_file_or_directory.
  Endpoint bind(const Endpoint& wish, Object& object, BindRules rules, std::error_code& error);
  // Forgets the object, if it was ever entered.
  void release(const Object& object);
  // All of a kind that `to` reaches: those bound to exactly this address, or else to any address.
  std::vector<Object*> find(const Endpoint& to, SocketKind kind) const;
  // There is a file at the path of a Unix socket, whether or not somebody serves it.
  bool has_file(const Endpoint& to) const { return paths_.contains(to.path()); }

 private:
  struct Entry {
    Endpoint endpoint;
    Object* object;
    BindRules rules;
  };

  Endpoint bind_path(const Endpoint& wish, Object& object, std::error_code& error);
  bool is_free(const Endpoint& wish, BindRules rules) const;
  // 0 when there is none.
  std::uint16_t free_port(const Endpoint& wish, BindRules rules);

  std::map<std::uint16_t, std::vector<Entry>> ports_;
  std::map<std::string, Object*, std::less<>> paths_;  // nobody: the file is stale
  std::uint16_t next_port_ = first_port;
};

}  // namespace tern::simulated
