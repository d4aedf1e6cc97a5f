// Makes the stand-in for kqueue() fail on order.
#pragma once

namespace tern::stand_in {

// The next `count` filters that are added are refused with this errno value. THREAD  any.
void refuse_changes(int count, int error);

}  // namespace tern::stand_in
