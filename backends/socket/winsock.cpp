#include "backends/socket/winsock.hpp"

#include <mstcpip.h>
#include <mswsock.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "backends/socket/options.hpp"
#include "backends/socket/winsock_errors.hpp"

namespace tern::winsock {
namespace {

// Winsock, from its first use to the end of the process.
class Library {
 public:
  Library() {
    WSADATA data{};
    error_ = ::WSAStartup(MAKEWORD(2, 2), &data);
  }
  ~Library() {
    if (error_ == 0) ::WSACleanup();
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  int error() const { return error_; }

 private:
  int error_;
};

// 0, or why there is no Winsock.
int start() {
  static const Library library;
  return library.error();
}

int last_error() { return ::WSAGetLastError(); }

int domain_of(Family family) {
  switch (family) {
    case Family::ipv4:
      return AF_INET;
    case Family::ipv6:
      return AF_INET6;
    case Family::local:
    case Family::none:
      break;
  }
  return AF_UNSPEC;
}

// False, and WSAGetLastError().
bool set_option(SOCKET handle, OptionNumber number, int value) {
  if (number.exists()) {
    return ::setsockopt(handle, number.level, number.name, reinterpret_cast<const char*>(&value),
                        sizeof value) == 0;
  }
  ::WSASetLastError(WSAEOPNOTSUPP);
  return false;
}

// A setting that is handed over by WSAIoctl.
template <class Value>
int set_control(SOCKET handle, DWORD name, Value value) {
  DWORD size = 0;
  return ::WSAIoctl(handle, name, &value, sizeof value, nullptr, 0, &size, nullptr, nullptr);
}

// No system balances the listeners of one port.
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
      return {};
  }
  return {};
}

// Windows 10 has the three options of other systems; what is older, and Wine, has one call for two
// of them, in milliseconds, and always sends 10 probes.
bool set_option(SOCKET handle, OptionNumber number, const KeepAlive& times) {
  constexpr OptionNumber idle_number{IPPROTO_TCP, 3};
  constexpr OptionNumber interval_number{IPPROTO_TCP, 17};
  constexpr OptionNumber probes_number{IPPROTO_TCP, 16};
  if (!set_option(handle, number, 1)) return false;
  const int idle = kernel_seconds(times.idle);
  const int interval = kernel_seconds(times.interval);
  if (set_option(handle, idle_number, idle) && set_option(handle, interval_number, interval) &&
      set_option(handle, probes_number, kernel_probes(times.probes))) {
    return true;
  }
  const tcp_keepalive both{1, static_cast<ULONG>(idle) * 1000, static_cast<ULONG>(interval) * 1000};
  return set_control(handle, SIO_KEEPALIVE_VALS, both) == 0;
}

bool apply_options(SOCKET handle, Family family, SocketKind kind, const SocketOptions& options) {
  return apply_each(options, family, kind, [handle](SocketOption option, const auto& value) {
    return set_option(handle, number_of(option), value);
  });
}

// SO_REUSEADDR here lets anybody take a port that is served: a port is ours alone.
bool refuse_sharing(SOCKET handle) {
  return set_option(handle, {SOL_SOCKET, SO_EXCLUSIVEADDRUSE}, 1);
}

bool bind_to(SOCKET handle, const Endpoint& endpoint) {
  const Address address(endpoint);
  return ::bind(handle, address.get(), address.size) == 0;
}

bool prepare_listener(SOCKET handle, const Endpoint& endpoint, const ListenOptions& options) {
  if (!refuse_sharing(handle)) return false;
  if (endpoint.family() == Family::ipv6 &&
      !set_option(handle, {IPPROTO_IPV6, IPV6_V6ONLY}, options.v6_only ? 1 : 0)) {
    return false;
  }
  // Accepted sockets get these with SO_UPDATE_ACCEPT_CONTEXT.
  if (!apply_options(handle, endpoint.family(), SocketKind::listener, options.socket)) return false;
  return bind_to(handle, endpoint) && ::listen(handle, options.backlog) == 0;
}

// Binds and connects; either may be left out.
bool prepare_datagram(SOCKET handle, const Endpoint& local, const Endpoint& remote,
                      const SocketOptions& options) {
  const Family family = local.family() == Family::none ? remote.family() : local.family();
  if (!refuse_sharing(handle)) return false;
  if (family == Family::ipv6 && !set_option(handle, {IPPROTO_IPV6, IPV6_V6ONLY}, 1)) return false;
  if (!apply_options(handle, family, SocketKind::datagram, options)) return false;
  // Without it the bounce of one datagram is an error of the next receive from anybody
  // (golang/go#5834). A connected socket has one peer, and wants to hear of it.
  const BOOL hears_bounces = remote.family() != Family::none;
  constexpr DWORD net_reset = _WSAIOW(IOC_VENDOR, 15);  // SIO_UDP_NETRESET
  if (set_control(handle, SIO_UDP_CONNRESET, hears_bounces) != 0) return false;
  // Newer than Windows itself needs; best effort.
  (void)set_control(handle, net_reset, hears_bounces);
  // A socket that is not bound cannot receive.
  if (!bind_to(handle, local.family() == Family::none ? wildcard(family) : local)) return false;
  if (remote.family() == Family::none) return true;
  const Address address(remote);
  return ::connect(handle, address.get(), address.size) == 0;
}

// Gives the socket back and reports the error as it was.
Socket give_up(SOCKET handle, std::error_code& error) {
  error = error_from(last_error());
  if (handle != INVALID_SOCKET) ::closesocket(handle);
  return {};
}

template <class GetName>
Endpoint name_of(Socket socket, GetName get_name) {
  Address address;
  if (get_name(handle_of(socket), address.get(), &address.size) != 0) return {};
  return endpoint_from(address.storage);
}

}  // namespace

std::error_code error_from(int code) { return {code, error_category()}; }

Address::Address(const Endpoint& endpoint) : storage{} {
  if (endpoint.family() == Family::ipv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = ::htons(endpoint.port());
    in6->sin6_scope_id = endpoint.scope();
    std::memcpy(&in6->sin6_addr, endpoint.address().data(), 16);
    size = sizeof *in6;
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = ::htons(endpoint.port());
    std::memcpy(&in->sin_addr, endpoint.address().data(), 4);
    size = sizeof *in;
  }
}

Endpoint endpoint_from(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    std::array<std::uint8_t, 4> address{};
    std::memcpy(address.data(), &in.sin_addr, address.size());
    return Endpoint::ipv4(address, ::ntohs(in.sin_port));
  }
  if (storage.ss_family != AF_INET6) return {};
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
  std::array<std::uint8_t, 16> address{};
  std::memcpy(address.data(), &in6.sin6_addr, address.size());
  return Endpoint::ipv6(address, ::ntohs(in6.sin6_port), in6.sin6_scope_id);
}

Endpoint wildcard(Family family) {
  return family == Family::ipv6 ? Endpoint::ipv6({}, 0) : Endpoint::ipv4({}, 0);
}

SOCKET open_socket(Family family, int type) {
  int error = start();
  // Windows has stream sockets by path; they are refused as long as no test can run them.
  if (error == 0 && domain_of(family) == AF_UNSPEC) error = WSAEAFNOSUPPORT;
  if (error != 0) {
    ::WSASetLastError(error);
    return INVALID_SOCKET;
  }
  const SOCKET handle = ::WSASocketW(domain_of(family), type, 0, nullptr, 0,
                                     WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (handle == INVALID_SOCKET) return handle;
  u_long on = 1;
  if (::ioctlsocket(handle, static_cast<long>(FIONBIO), &on) == 0) return handle;
  error = last_error();
  ::closesocket(handle);
  ::WSASetLastError(error);
  return INVALID_SOCKET;
}

bool has_waiting(Socket listener) {
  WSAPOLLFD waiting{handle_of(listener), POLLRDNORM, 0};
  return ::WSAPoll(&waiting, 1, 0) > 0 && (waiting.revents & POLLRDNORM) != 0;
}

bool providers_are_plain() {
  if (start() != 0) return false;
  std::array<INT, 3> protocols = {IPPROTO_TCP, IPPROTO_UDP, 0};
  std::vector<WSAPROTOCOL_INFOW> found(64);
  auto size = static_cast<DWORD>(found.size() * sizeof found.front());
  const int count = ::WSAEnumProtocolsW(protocols.data(), found.data(), &size);
  if (count == SOCKET_ERROR) return false;
  return std::all_of(found.begin(), found.begin() + count, [](const WSAPROTOCOL_INFOW& each) {
    return (each.dwServiceFlags1 & XP1_IFS_HANDLES) != 0;
  });
}

Socket Sockets::listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error) {
  const SOCKET handle = open_socket(endpoint.family(), SOCK_STREAM);
  if (handle == INVALID_SOCKET || !prepare_listener(handle, endpoint, options)) {
    return give_up(handle, error);
  }
  return {static_cast<std::intptr_t>(handle), SocketKind::listener};
}

Socket Sockets::stream(Family family, const Endpoint& source, const SocketOptions& options,
                       std::error_code& error) {
  const SOCKET handle = open_socket(family, SOCK_STREAM);
  if (handle == INVALID_SOCKET || !apply_options(handle, family, SocketKind::stream, options)) {
    return give_up(handle, error);
  }
  if (source.family() != Family::none && !bind_to(handle, source)) return give_up(handle, error);
  return {static_cast<std::intptr_t>(handle), SocketKind::stream};
}

Socket Sockets::datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error) {
  const Family family = local.family() == Family::none ? remote.family() : local.family();
  const SOCKET handle = open_socket(family, SOCK_DGRAM);
  if (handle == INVALID_SOCKET || !prepare_datagram(handle, local, remote, options)) {
    return give_up(handle, error);
  }
  return {static_cast<std::intptr_t>(handle), SocketKind::datagram};
}

Endpoint Sockets::local(Socket socket) { return name_of(socket, ::getsockname); }
Endpoint Sockets::peer(Socket socket) { return name_of(socket, ::getpeername); }

void Sockets::reset_on_close(Socket socket) {
  const linger now{1, 0};
  // Best effort: on a socket that the peer has already reset there is nothing left to reset.
  (void)::setsockopt(handle_of(socket), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&now),
                     sizeof now);
}

void Sockets::close(Socket socket) {
  // The handle is gone whatever closesocket() says, so there is nothing to do about an error.
  (void)::closesocket(handle_of(socket));
}

std::vector<Endpoint> Sockets::resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error) {
  int code = start();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (code == 0) code = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &list);
  if (code != 0) {
    error = error_from(code);
    return {};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, ::freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, std::min(entry->ai_addrlen, sizeof storage));
    const Endpoint endpoint = endpoint_from(storage);
    if (endpoint.is_ip()) endpoints.push_back(endpoint.with_port(port));
  }
  return endpoints;
}

DatagramBatch::DatagramBatch(std::size_t datagram_bytes)
    : datagram_bytes_(datagram_bytes),
      datagrams_(datagrams_max),
      // Left unwritten: pages that no datagram reaches are never touched.
      bytes_(new std::byte[datagrams_max * datagram_bytes]) {}

int DatagramBatch::receive(SOCKET handle) {
  count_ = 0;
  while (count_ < datagrams_max) {
    std::byte* const bytes = bytes_.get() + count_ * datagram_bytes_;
    Address address;
    const int received =
        ::recvfrom(handle, reinterpret_cast<char*>(bytes), static_cast<int>(datagram_bytes_), 0,
                   address.get(), &address.size);
    const int error = received < 0 ? last_error() : 0;
    // Too long for the room: what fits is there, the rest is lost.
    const bool is_truncated = error == WSAEMSGSIZE;
    if (error != 0 && !is_truncated) return error;
    Datagram& datagram = datagrams_[count_];
    datagram.bytes = {bytes, is_truncated ? datagram_bytes_ : static_cast<std::size_t>(received)};
    datagram.peer = endpoint_from(address.storage);
    datagram.truncated = is_truncated;
    ++count_;
  }
  return 0;
}

int send_datagram(SOCKET handle, const Datagram& datagram) {
  const auto* const bytes = reinterpret_cast<const char*>(datagram.bytes.data());
  const auto size = static_cast<int>(std::min<std::size_t>(datagram.bytes.size(), INT32_MAX));
  int sent = 0;
  if (datagram.peer.family() == Family::none) {
    sent = ::send(handle, bytes, size, 0);
  } else {
    const Address address(datagram.peer);
    sent = ::sendto(handle, bytes, size, 0, address.get(), address.size);
  }
  return sent < 0 ? last_error() : 0;
}

}  // namespace tern::winsock
