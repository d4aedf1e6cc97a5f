#include "backends/socket/posix.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>

namespace tern::posix {
namespace {

std::error_code last_error() { return error_from(errno); }

int domain_of(Family family) {
  switch (family) {
    case Family::ipv4:
      return AF_INET;
    case Family::ipv6:
      return AF_INET6;
    case Family::local:
      return AF_UNIX;
    case Family::none:
      break;
  }
  return AF_UNSPEC;
}

// False, and errno.
bool set_option(int fd, OptionNumber number, int value) {
  if (number.exists()) {
    return ::setsockopt(fd, number.level, number.name, &value, sizeof value) == 0;
  }
  errno = EOPNOTSUPP;
  return false;
}

bool set_option(int fd, OptionNumber number, const KeepAlive& times) {
  return set_option(fd, number, 1) &&
         set_option(fd, keep_alive_numbers.idle, kernel_seconds(times.idle)) &&
         set_option(fd, keep_alive_numbers.interval, kernel_seconds(times.interval)) &&
         set_option(fd, keep_alive_numbers.probes, kernel_probes(times.probes));
}

bool apply_options(int fd, Family family, SocketKind kind, const SocketOptions& options) {
  return apply_each(options, family, kind, [fd](SocketOption option, const auto& value) {
    return set_option(fd, number_of(option), value);
  });
}

bool prepare_listener(int fd, const Endpoint& endpoint, const ListenOptions& options) {
  const Address address(endpoint);
  Sockets::forget(endpoint);
  if (endpoint.is_ip() && !set_option(fd, {SOL_SOCKET, SO_REUSEADDR}, 1)) return false;
  if (endpoint.family() == Family::ipv6 &&
      !set_option(fd, {IPPROTO_IPV6, IPV6_V6ONLY}, options.v6_only ? 1 : 0)) {
    return false;
  }
  // Accepted sockets inherit these, so that an accept needs no further call.
  if (!apply_options(fd, endpoint.family(), SocketKind::listener, options.socket)) return false;
  if (::bind(fd, address.get(), address.size) != 0) return false;
  return ::listen(fd, options.backlog) == 0;
}

// Binds and connects; either may be left out.
bool prepare_datagram(int fd, const Endpoint& local, const Endpoint& remote,
                      const SocketOptions& options) {
  const Family family = local.family() == Family::none ? remote.family() : local.family();
  if (family == Family::ipv6 && !set_option(fd, {IPPROTO_IPV6, IPV6_V6ONLY}, 1)) return false;
  if (!apply_options(fd, family, SocketKind::datagram, options)) return false;
  if (local.family() != Family::none) {
    const Address address(local);
    if (::bind(fd, address.get(), address.size) != 0) return false;
  }
  if (remote.family() == Family::none) return true;
  const Address address(remote);
  return ::connect(fd, address.get(), address.size) == 0;
}

// Gives the descriptor back and reports errno as it was.
Socket give_up(int fd, std::error_code& error) {
  error = last_error();
  if (fd >= 0) ::close(fd);
  return {};
}

template <class GetName>
Endpoint name_of(Socket socket, GetName get_name) {
  Address address;
  if (get_name(static_cast<int>(socket.handle), address.get(), &address.size) != 0) return {};
  return endpoint_from(address.storage, address.size);
}

// getaddrinfo's own codes, with its texts. They are no errno values and compare with none.
class ResolverCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "resolver"; }
  std::string message(int code) const override { return ::gai_strerror(code); }
};

const std::error_category& resolver_category() {
  static const ResolverCategory category;
  return category;
}

}  // namespace

std::error_code error_from(int errno_value) {
  // macOS reports a race in socket teardown as EPROTOTYPE: the peer is gone (libuv/libuv#482).
  if (errno_value == EPROTOTYPE) errno_value = ECONNRESET;
  return {errno_value, std::system_category()};
}

ErrorClass classify(int errno_value) {
  switch (errno_value) {
    case 0:
      return ErrorClass::none;
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
      return ErrorClass::would_block;
    case EINTR:
    case ECANCELED:
      return ErrorClass::interrupted;
    case ENOMEM:
    case ENOBUFS:
      return ErrorClass::no_memory;
    case EMFILE:
    case ENFILE:
      return ErrorClass::no_descriptor;
    case ECONNREFUSED:
      return ErrorClass::refused;
    default:
      return ErrorClass::other;
  }
}

OptionNumber number_of(SocketOption option) {
  switch (option) {
    case SocketOption::receive_buffer:
      return {SOL_SOCKET, SO_RCVBUF};
    case SocketOption::send_buffer:
      return {SOL_SOCKET, SO_SNDBUF};
    case SocketOption::keep_alive:
      return {SOL_SOCKET, SO_KEEPALIVE};
    case SocketOption::no_delay:
      return {IPPROTO_TCP, TCP_NODELAY};
    case SocketOption::reuse_port:
      return reuse_port_number;
  }
  return {};
}

Address::Address(const Endpoint& endpoint) : storage{} {
  if (endpoint.family() == Family::ipv4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(endpoint.port());
    std::memcpy(&in->sin_addr, endpoint.address().data(), 4);
    size = sizeof *in;
  } else if (endpoint.family() == Family::ipv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port());
    in6->sin6_scope_id = endpoint.scope();
    std::memcpy(&in6->sin6_addr, endpoint.address().data(), 16);
    size = sizeof *in6;
  } else {
    auto* un = reinterpret_cast<sockaddr_un*>(&storage);
    un->sun_family = AF_UNIX;
    const std::string_view path = endpoint.path();
    std::copy(path.begin(), path.end(), un->sun_path);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!path.empty() && path.front() == '@') {
      un->sun_path[0] = '\0';  // the abstract namespace: no file, length counts, no zero at the end
    } else {
      ++size;
    }
  }
}

Endpoint endpoint_from(const sockaddr_storage& storage, socklen_t size) {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    std::array<std::uint8_t, 4> address{};
    std::memcpy(address.data(), &in.sin_addr, address.size());
    return Endpoint::ipv4(address, ntohs(in.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::array<std::uint8_t, 16> address{};
    std::memcpy(address.data(), &in6.sin6_addr, address.size());
    return Endpoint::ipv6(address, ntohs(in6.sin6_port), in6.sin6_scope_id);
  }
  if (storage.ss_family != AF_UNIX) return {};
  const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
  constexpr std::size_t head = offsetof(sockaddr_un, sun_path);
  if (size <= head) return Endpoint::unnamed_local();
  std::string path(un.sun_path, std::min<std::size_t>(size - head, sizeof un.sun_path));
  // macOS gives an unnamed socket a name of zeros.
  if (path.find_first_not_of('\0') == std::string::npos) return Endpoint::unnamed_local();
  if (path.front() == '\0') {
    path.front() = '@';
  } else {
    path.resize(::strnlen(path.data(), path.size()));
  }
  return Endpoint::local(path).value_or(Endpoint::unnamed_local());
}

bool has_waiting(Socket listener) {
  pollfd waiting{static_cast<int>(listener.handle), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN) != 0;
}

Socket Sockets::listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error) {
  const int fd = open_socket(domain_of(endpoint.family()), SOCK_STREAM);
  if (fd < 0 || !prepare_listener(fd, endpoint, options)) return give_up(fd, error);
  return {fd, SocketKind::listener};
}

Socket Sockets::stream(Family family, const Endpoint& source, const SocketOptions& options,
                       std::error_code& error) {
  const int fd = open_socket(domain_of(family), SOCK_STREAM);
  if (fd < 0 || !apply_options(fd, family, SocketKind::stream, options)) {
    return give_up(fd, error);
  }
  if (source.family() != Family::none) {
    if (source.port() == 0) bind_address_only(fd);
    const Address address(source);
    if (::bind(fd, address.get(), address.size) != 0) return give_up(fd, error);
  }
  return {fd, SocketKind::stream};
}

Socket Sockets::datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error) {
  const Family family = local.family() == Family::none ? remote.family() : local.family();
  const int fd = open_socket(domain_of(family), SOCK_DGRAM);
  if (fd < 0 || !prepare_datagram(fd, local, remote, options)) return give_up(fd, error);
  return {fd, SocketKind::datagram};
}

Endpoint Sockets::local(Socket socket) { return name_of(socket, ::getsockname); }
Endpoint Sockets::peer(Socket socket) { return name_of(socket, ::getpeername); }

void Sockets::reset_on_close(Socket socket) {
  const linger now{1, 0};
  // Best effort: on a socket that the peer has already reset there is nothing left to reset.
  (void)::setsockopt(static_cast<int>(socket.handle), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Sockets::close(Socket socket) {
  // The descriptor is gone whatever close() says, so there is nothing to do about an error.
  (void)::close(static_cast<int>(socket.handle));
}

// A socket file that nobody serves any more keeps its path taken: bind() would fail for ever after
// a crash. Whether somebody serves it is asked by connecting.
void Sockets::forget(const Endpoint& endpoint) {
  if (endpoint.family() != Family::local) return;
  const Address address(endpoint);
  sockaddr_un named{};
  std::memcpy(&named, address.get(), std::min<std::size_t>(address.size, sizeof named));
  if (named.sun_path[0] == '\0') return;  // abstract: no file
  struct stat status {};
  if (::lstat(named.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const int probe = open_socket(AF_UNIX, SOCK_STREAM);
  if (probe < 0) return;
  const bool refused = ::connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (refused) ::unlink(named.sun_path);
}

std::vector<Endpoint> Sockets::resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &list);
  if (code == EAI_SYSTEM) {
    error = last_error();
    return {};
  }
  if (code != 0) {
    error = {code, resolver_category()};
    return {};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, ::freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, entry->ai_addrlen);
    const Endpoint endpoint = endpoint_from(storage, entry->ai_addrlen);
    if (endpoint.is_ip()) endpoints.push_back(endpoint.with_port(port));
  }
  return endpoints;
}

}  // namespace tern::posix
