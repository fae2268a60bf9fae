// SPDX-License-Identifier: MIT
// Everything of the layer proto.
#pragma once

#include <lariat/proto/client_creator.hpp>      // IWYU pragma: export
#include <lariat/proto/connector.hpp>           // IWYU pragma: export
#include <lariat/proto/datagram_protocol.hpp>   // IWYU pragma: export
#include <lariat/proto/datagram_transport.hpp>  // IWYU pragma: export
#include <lariat/proto/factory.hpp>             // IWYU pragma: export
#include <lariat/proto/port.hpp>                // IWYU pragma: export
#include <lariat/proto/process_protocol.hpp>    // IWYU pragma: export
#include <lariat/proto/producer.hpp>            // IWYU pragma: export
#include <lariat/proto/protocol.hpp>            // IWYU pragma: export
#include <lariat/proto/reconnecting.hpp>        // IWYU pragma: export
#include <lariat/proto/stream_protocol.hpp>     // IWYU pragma: export
#include <lariat/proto/tcp_transport.hpp>       // IWYU pragma: export
#include <lariat/proto/transport.hpp>           // IWYU pragma: export
#include <lariat/proto/udp_port.hpp>            // IWYU pragma: export
