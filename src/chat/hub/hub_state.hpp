// What the hub knows of a room and of a member; for the files of Hub alone.
#pragma once

#include <algorithm>
#include <deque>
#include <list>
#include <string>
#include <vector>

#include "src/chat/hub/hub.hpp"

namespace tern::chat {

// Somebody who is banned or muted: under a name, and whoever had that name then under any.
struct Hub::BanEntry {
  std::string key;   // folded
  std::string name;  // as it was written
  MemberId member;   // 0: nobody had it
};

struct Hub::Room {
  Member* moderator() const { return members.front(); }  // REQUIRES members

  RoomId id = 0;
  std::string key;   // folded
  std::string name;  // as it was first written
  std::string topic;
  std::list<Member*> members;  // who came first is the first
  BanList banned;
  BanList muted;
  std::deque<Message> history;
  std::size_t history_bytes = 0;
  std::list<Room*>::iterator empty_place;  // while there are no members
  bool has_new_moderator = false;          // who has not been told yet
};

struct Hub::Member {
  // Where it stands among a room's members.
  struct Place {
    Room* room;
    std::list<Member*>::iterator position;
  };

  Place* place_in(const Room& room) {
    const auto it = std::find_if(places.begin(), places.end(),
                                 [&](const Place& place) { return place.room == &room; });
    return it == places.end() ? nullptr : &*it;
  }
  bool is_in(const Room& room) const {
    return std::any_of(places.begin(), places.end(),
                       [&](const Place& place) { return place.room == &room; });
  }
  Room* current() const { return places.empty() ? nullptr : places.back().room; }

  MemberId id = 0;
  std::string nickname;
  std::string claim;  // the name whose password is being looked at; empty: none
  unsigned wrong_passwords = 0;
  std::vector<Place> places;  // the current room is the last
};

}  // namespace tern::chat
