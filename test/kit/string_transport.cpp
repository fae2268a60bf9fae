// SPDX-License-Identifier: MIT
#include <lariat/testing/string_transport.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <utility>

namespace lariat::testing {

void StringTransport::check_producing() const {
    if (disconnecting_ && !lenient_) throw UsageError("Cannot resume producing after loseConnection");
    if (producer_state_ == ProducerState::stopped) throw UsageError("Cannot resume a stopped producer");
}

void StringTransport::pause_producing() {
    check_producing();
    producer_state_ = ProducerState::paused;
}

void StringTransport::resume_producing() {
    check_producing();
    producer_state_ = ProducerState::producing;
}

void StringTransport::add_producer(Producer& producer, bool streaming) {
    if (producer_) throw UsageError("Cannot register two producers");
    producer_ = std::shared_ptr<Producer>(producer.weak_from_this().lock(), &producer);
    streaming_ = streaming;
}

void StringTransport::switch_protocol(ProtocolPtr next) {
    protocol_ = std::move(next);
    protocol_->make_connection(*this);
}

ProtocolPtr StringTransport::disconnect() noexcept {
    disconnecting_ = disconnected_ = true;
    return std::exchange(protocol_, nullptr);
}

void StringTransportWithDisconnection::lose_connection() { tell(Failure(ConnectionDone())); }

void StringTransportWithDisconnection::abort_connection() { tell(Failure(ConnectionAborted())); }

void StringTransportWithDisconnection::tell(const Failure& reason) {
    if (const ProtocolPtr told = disconnect()) told->connection_lost(reason);
}

}  // namespace lariat::testing
