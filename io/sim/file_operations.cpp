// SPDX-License-Identifier: MIT
// What is asked of files on a simulated host: it takes a drawn time and is done at its end.
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/sim/world.hpp>

#include <cerrno>
#include <memory>

namespace lariat::sim {

/// One that is under way. It is in the op's slot, and gone when the result is known.
class FileWork final : public Timer {
public:
    FileWork(SimBackend& backend, io::FileOp& op) noexcept : Timer(&fired), backend_(backend), op_(op) {}

private:
    static void fired(Timer& timer) noexcept {
        const std::unique_ptr<FileWork> self(static_cast<FileWork*>(&timer));
        SimBackend& backend = self->backend_;
        io::FileOp& op = self->op_;
        if (op.action == io::FileOp::Action::read && op.bytes.iov_len > 1
            && backend.world_.random().chance(backend.world_.short_transfers())) {
            const iovec whole = op.bytes;
            op.bytes.iov_len = backend.world_.random().between(1, whole.iov_len);
            backend.finish(op, backend.node_.perform(op));
            op.bytes = whole;
        } else {
            backend.finish(op, backend.node_.perform(op));
        }
    }

    SimBackend& backend_;
    io::FileOp& op_;
};

void SimBackend::start_file(io::FileOp& op) noexcept {
    auto* work = new FileWork(*this, op);
    slot_of(op) = work;
    world_.timers().arm(*work, world_.now() + draw_delay());
}

// Half of the cancellations find that the disk has begun already.
void SimBackend::cancel_file(io::FileOp& op) noexcept {
    if (world_.random().chance(500)) return;
    delete static_cast<FileWork*>(slot_of(op));
    finish(op, -ECANCELED);
}

void SimBackend::count_file(const io::FileOp& op, std::int32_t result) noexcept {
    descriptors_ += static_cast<std::size_t>(io::change_of_descriptors(op, result));
}

}  // namespace lariat::sim
