// Who is called what: guests, nicknames, and names that a password keeps for somebody.
//
//   Nobody has a reserved name who has not shown its password on this connection. So whoever has it
//   is whom it belongs to, and what is allowed to a name (operators) is allowed to nobody else.
#include <utility>

#include "src/chat/hub/hub.hpp"
#include "src/chat/hub/hub_state.hpp"
#include "src/chat/hub/names.hpp"

namespace tern::chat {

// No guest's name comes back: who left must not be taken for who came.
std::string Hub::guest_name() { return std::string(guest_prefix) + std::to_string(next_guest_++); }

void Hub::rename(Member& member, const Command& command) {
  const std::string& name = command.name;
  if (!is_name(name, limits_.name_bytes_max)) {
    return refuse(member, Problem::bad_nickname, name, limits_.name_bytes_max);
  }
  const std::string key = folded(name);
  if (key == folded(member.nickname)) return take_name(member, name);
  if (key.starts_with(guest_prefix)) return refuse(member, Problem::guest_name, name);
  if (reserved_names_.reserved.contains(key)) {
    if (command.text.empty()) return refuse(member, Problem::name_reserved, name);
    if (!member.claim.empty()) return refuse(member, Problem::password_busy, name);
    member.claim = name;
    return events_.verify(member.id, name, command.text);
  }
  if (!command.text.empty()) return refuse(member, Problem::name_free, name);
  if (nicknames_.contains(key)) return refuse(member, Problem::name_taken, name);
  take_name(member, name);
}

// REQUIRES that nobody else has it.
void Hub::take_name(Member& member, const std::string& name) {
  nicknames_.erase(folded(member.nickname));
  nicknames_.emplace(folded(name), &member);
  const std::string before = std::exchange(member.nickname, name);
  events_.send_to(member.id, {.kind = Event::Kind::you_renamed, .name = name});
  if (before == name) return;
  for (const Member::Place& place : member.places) {
    events_.broadcast(
        place.room->id, member.id,
        {.kind = Event::Kind::renamed, .room = place.room->name, .actor = before, .name = name});
  }
}

bool Hub::is_verifying(MemberId id) const {
  const auto it = members_.find(id);
  return it != members_.end() && !it->second->claim.empty();
}

void Hub::verified(MemberId id, PasswordResult result) {
  const auto it = members_.find(id);
  if (it == members_.end() || it->second->claim.empty()) return;
  Member& member = *it->second;
  const std::string name = std::exchange(member.claim, {});
  switch (result) {
    case PasswordResult::right:
      // Who has it already is the same person, on a connection that may well be dead.
      if (Member* holder = find_member(name); holder != nullptr && holder != &member) {
        take_name(*holder, guest_name());
      }
      member.wrong_passwords = 0;
      return take_name(member, name);
    case PasswordResult::busy:
      return refuse(member, Problem::password_busy, name);
    case PasswordResult::wrong:
      break;
  }
  if (++member.wrong_passwords < limits_.wrong_passwords_max) {
    return refuse(member, Problem::wrong_password, name);
  }
  refuse(member, Problem::wrong_passwords, name, limits_.wrong_passwords_max);
  gone(id, PartReason::quit);
  events_.dismissed(id);
}

void Hub::set_reserved_names(ReservedNames names) {
  std::vector<Member*> renamed;
  for (const std::string& name : names.reserved) {
    if (reserved_names_.reserved.contains(name)) continue;
    if (Member* holder = find_member(name)) renamed.push_back(holder);
  }
  reserved_names_ = std::move(names);
  for (Member* member : renamed) take_name(*member, guest_name());
}

}  // namespace tern::chat
