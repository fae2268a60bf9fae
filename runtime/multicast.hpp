// SPDX-License-Identifier: MIT
// Multicast of a DatagramSocket: which groups it hears, and how what it sends to groups travels.
//
// An interface of the machine is named by its name ("eth0") or its index ("2"), for IPv4 also by an address of it
// ("127.0.0.1"). All return 0 or a negative errno: -ENODEV or -EADDRNOTAVAIL for an interface that is not there, -EBADF
// for a closed socket, -EOPNOTSUPP for one of UNIX.
#pragma once

#include <lariat/io/address.hpp>

#include <string>

namespace lariat {

class DatagramSocket;

/// Hears what comes to `group` over `interface`, or no more (IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, or what IPv6 calls
/// so). An empty `interface` is the one of the group's scope, or else the one the system routes the group to. -EINVAL
/// when `group` is none, -EADDRINUSE and -EADDRNOTAVAIL when the socket is a member already and when it is not.
int join_group(DatagramSocket& socket, const Address& group, const std::string& interface, bool join);

/// How many hops it goes, 0 to 255, else -EINVAL: 1, the local network, unless set.
int set_multicast_ttl(DatagramSocket& socket, int ttl);
int multicast_ttl(DatagramSocket& socket, int& ttl);

/// Whether members on this machine hear it too: true unless set.
int set_multicast_loop(DatagramSocket& socket, bool loop);
int multicast_loop(DatagramSocket& socket, bool& loop);

/// The interface it leaves by; an empty one lets the system choose.
int set_multicast_interface(DatagramSocket& socket, const std::string& interface);
/// For IPv4 the address it was set by, "0.0.0.0" when that was something else; for IPv6 its index, "0" for none.
int multicast_interface(DatagramSocket& socket, std::string& interface);

}  // namespace lariat
