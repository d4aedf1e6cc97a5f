// IntrusiveList: a list of objects that carry their links. So it needs no memory, and an object
// leaves it in one step, wherever it stands.
//
//   OWNERSHIP  None. An object leaves before it dies.
#pragma once

#include <cassert>
#include <cstddef>

namespace tern {

template <class T>
class IntrusiveList;

template <class T>
struct ListLinks {
  T* previous = nullptr;
  T* next = nullptr;
  IntrusiveList<T>* list = nullptr;  // in which it is
};

template <class T>
class IntrusiveList {
 public:
  // By which of an object's links it is in this list.
  explicit IntrusiveList(ListLinks<T> T::*links) : links_(links) {}
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  // REQUIRES not empty.
  T& front() const { return *first_; }

  // REQUIRES in no list by these links.
  void push_back(T& object) {
    ListLinks<T>& links = object.*links_;
    assert(links.list == nullptr);
    links = {last_, nullptr, this};
    (last_ == nullptr ? first_ : (last_->*links_).next) = &object;
    last_ = &object;
    ++size_;
  }
  T& pop_front() {
    T& object = *first_;
    erase(object);
    return object;
  }
  // Takes an object out of the list that it is in by `links`, if it is in one.
  static void leave(T& object, ListLinks<T> T::*links) {
    if ((object.*links).list != nullptr) (object.*links).list->erase(object);
  }

 private:
  void erase(T& object) {
    ListLinks<T>& links = object.*links_;
    (links.previous == nullptr ? first_ : (links.previous->*links_).next) = links.next;
    (links.next == nullptr ? last_ : (links.next->*links_).previous) = links.previous;
    links = {};
    --size_;
  }

  ListLinks<T> T::*links_;
  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tern
