// SPDX-License-Identifier: MIT
// What tests of faults share: backends with a plan, and the seeds and faults to run through.
#pragma once

#include <lariat/io/fault/fault_backend.hpp>
#include <lariat/io/make_backend.hpp>

#include <memory>
#include <string>
#include <vector>

namespace lariat::test {

inline std::unique_ptr<io::FaultBackend> faulty(io::BackendKind kind, const io::FaultPlan& plan,
                                                const io::BackendOptions& options = {}) {
    return std::make_unique<io::FaultBackend>(io::make_backend(kind, options), plan);
}

/// Makes io::FaultBackend's own calls reachable again behind a Backend.
inline io::FaultBackend& faults_of(io::Backend& backend) { return dynamic_cast<io::FaultBackend&>(backend); }

/// A fault, or all that a program must not notice together.
class Disturbance {
public:
    Disturbance(std::string name, std::vector<io::Fault> faults) : name_(std::move(name)), faults_(std::move(faults)) {}

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] io::FaultPlan plan(unsigned per_mille, std::uint64_t seed = 1) const {
        io::FaultPlan plan(seed);
        for (const io::Fault fault : faults_) plan.rate(fault, per_mille);
        return plan;
    }
    /// The faults of it that have not happened, as text; "" when all have.
    [[nodiscard]] std::string missing(const io::FaultCounts& counts) const {
        std::string text;
        for (const io::Fault fault : faults_) {
            if (counts[fault] == 0) text.append(text.empty() ? "" : ", ").append(to_string(fault));
        }
        return text;
    }

private:
    std::string name_;
    std::vector<io::Fault> faults_;
};

/// Each of `faults` alone, and all of them at once.
inline std::vector<Disturbance> each_and_all(const std::vector<io::Fault>& faults) {
    std::vector<Disturbance> list;
    for (const io::Fault fault : faults) {
        list.emplace_back(std::string(to_string(fault)), std::vector<io::Fault>{fault});
    }
    list.emplace_back("all of them", faults);
    return list;
}

/// The faults that streams must not notice, and that happen to them often enough to be required.
inline std::vector<io::Fault> stream_faults() {
    using enum io::Fault;
    return {short_read,      short_write,          again_storm,         multishot_end, late_submission,
            late_completion, reordered_completion, repeated_completion, late_cancel,   early_wake};
}

}  // namespace lariat::test
