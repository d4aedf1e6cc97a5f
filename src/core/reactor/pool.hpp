// A pool of objects of one type: they never move, cost no allocation once the pool has grown, and
// can be visited. Freed places are reused last in, first out, while they are still in the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace tern {

template <class T>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  // REQUIRES everything was destroyed.
  ~Pool() = default;

  // `T` is constructed from `arguments`, then its `pool_index` is set.
  template <class... Arguments>
  T& make(Arguments&&... arguments) {
    if (free_ == no_index) grow();
    const std::uint32_t index = free_;
    Place& place = at(index);
    const std::uint32_t next = place.next_free;
    T* object = new (place.storage) T(std::forward<Arguments>(arguments)...);
    free_ = next;
    object->pool_index = index;
    chunks_[index / chunk_size]->live |= std::uint64_t{1} << (index % chunk_size);
    ++size_;
    return *object;
  }

  void destroy(T& object) {
    const std::uint32_t index = object.pool_index;
    object.~T();
    chunks_[index / chunk_size]->live &= ~(std::uint64_t{1} << (index % chunk_size));
    at(index).next_free = free_;
    free_ = index;
    --size_;
  }

  std::size_t size() const { return size_; }

  // Visits what was alive at the start of each chunk; `visit` may destroy what it is given.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      for (std::uint32_t bit = 0; bit < chunk_size; ++bit) {
        Chunk& in = *chunks_[chunk];
        if ((in.live >> bit & 1) == 0) continue;
        visit(*std::launder(reinterpret_cast<T*>(in.places[bit].storage)));
      }
    }
  }

 private:
  static constexpr std::uint32_t no_index = UINT32_MAX;
  static constexpr std::uint32_t chunk_size = 64;

  union Place {
    Place() : next_free(no_index) {}
    std::uint32_t next_free;
    alignas(T) std::byte storage[sizeof(T)];
  };
  struct Chunk {
    std::uint64_t live = 0;
    Place places[chunk_size];
  };

  Place& at(std::uint32_t index) { return chunks_[index / chunk_size]->places[index % chunk_size]; }

  void grow() {
    const auto base = static_cast<std::uint32_t>(chunks_.size() * chunk_size);
    chunks_.push_back(std::make_unique<Chunk>());
    for (std::uint32_t i = chunk_size; i-- > 0;) {
      at(base + i).next_free = free_;
      free_ = base + i;
    }
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t free_ = no_index;
  std::size_t size_ = 0;
};

}  // namespace tern
