// SPDX-License-Identifier: MIT
#include <lariat/io/fault/fault_plan.hpp>

namespace lariat::io {

std::string_view to_string(Fault fault) noexcept {
    switch (fault) {
    case Fault::short_read: return "short_read";
    case Fault::short_write: return "short_write";
    case Fault::again_storm: return "again_storm";
    case Fault::multishot_end: return "multishot_end";
    case Fault::late_submission: return "late_submission";
    case Fault::late_completion: return "late_completion";
    case Fault::reordered_completion: return "reordered_completion";
    case Fault::repeated_completion: return "repeated_completion";
    case Fault::late_cancel: return "late_cancel";
    case Fault::lost_cancel: return "lost_cancel";
    case Fault::early_wake: return "early_wake";
    case Fault::false_readiness: return "false_readiness";
    case Fault::slow_answer: return "slow_answer";
    case Fault::no_buffers: return "no_buffers";
    case Fault::no_descriptors: return "no_descriptors";
    case Fault::no_memory: return "no_memory";
    case Fault::aborted_accept: return "aborted_accept";
    case Fault::failed_transfer: return "failed_transfer";
    case Fault::failed_sync: return "failed_sync";
    }
    return "unknown";
}

}  // namespace lariat::io
