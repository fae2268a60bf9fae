// SPDX-License-Identifier: MIT
// The programs that the demo starts.
#pragma once

#include <lariat/lariat.hpp>

#include <string>
#include <sys/types.h>
#include <vector>

namespace poetry {

/// A program whose first line ends in the address it serves on. Ended with this object, or with this process.
class ServerProcess {
public:
    /// Waits for that line. Errors: Error when the program ends without it; what it wrote to stderr is on
    /// ours.
    explicit ServerProcess(const std::vector<std::string>& command);
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess();

    const lariat::Address& address() const { return address_; }

private:
    pid_t pid_;
    lariat::Address address_;
};

/// Runs a program to its end on our terminal and returns its status.
int run_to_end(const std::vector<std::string>& command);

}  // namespace poetry
