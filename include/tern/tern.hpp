// Everything a user of the library needs.
#pragma once

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tern/counters.hpp"
#include "tern/datagram.hpp"
#include "tern/datagram_socket.hpp"
#include "tern/endpoint.hpp"
#include "tern/listener.hpp"
#include "tern/process.hpp"
#include "tern/reactor.hpp"
#include "tern/server.hpp"
#include "tern/shared_buffer.hpp"
#include "tern/socket_options.hpp"
#include "tern/time.hpp"
#include "tern/timer.hpp"
#include "tern/url.hpp"
#include "tern/version.hpp"
