// SPDX-License-Identifier: MIT
// What servers and clients of poetry share: reading a poem from a file, and a poem on its way over the
// network.
#pragma once

#include <lariat/lariat.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace poetry {

/// Errors: lariat::Error naming the file and why it cannot be read.
std::string read_poem(const std::string& file);

/// One poem that is being downloaded. The clients tell it what happens, and it tells whoever displays it.
class Download {
public:
    enum class State { running, complete, failed };

    /// Hears of every change of a Download.
    class Observer {
    public:
        virtual void changed(const Download& download) = 0;

    protected:
        ~Observer() = default;
    };

    /// `host` may be a name.
    Download(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

    const std::string& host() const { return host_; }
    std::uint16_t port() const { return port_; }
    /// How a display calls it: "127.0.0.1:8000" unless it was given another name.
    std::string label() const;
    void set_label(std::string label) { label_ = std::move(label); }
    /// How many bytes the poem has; 0 when nobody knows.
    std::size_t expected_bytes() const { return expected_bytes_; }
    void set_expected_bytes(std::size_t bytes) { expected_bytes_ = bytes; }
    void set_observer(Observer& observer) { observer_ = &observer; }

    void received(std::size_t bytes);
    void complete(std::string poem);
    void fail(const lariat::Failure& reason);

    State state() const { return state_; }
    std::size_t bytes() const { return bytes_; }
    const std::string& poem() const { return poem_; }
    const std::string& failure() const { return failure_; }

private:
    void tell_observer() const;

    std::string host_;
    std::string label_;
    std::string poem_;
    std::string failure_;
    std::size_t expected_bytes_ = 0;
    std::size_t bytes_ = 0;
    Observer* observer_ = nullptr;
    std::uint16_t port_;
    State state_ = State::running;
};

}  // namespace poetry
