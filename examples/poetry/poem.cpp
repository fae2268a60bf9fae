// SPDX-License-Identifier: MIT
#include "poem.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>

namespace poetry {

std::string read_poem(const std::string& file) {
    errno = 0;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> open(std::fopen(file.c_str(), "rb"), std::fclose);
    std::string poem;
    char part[4096];
    std::size_t size = 0;
    while (open && (size = std::fread(part, 1, sizeof part, open.get())) > 0) poem.append(part, size);
    // A folder can be opened; reading it is what fails.
    const int error = errno;
    if (!open || std::ferror(open.get())) throw lariat::Error(lariat::describe_errno(file, error), error);
    return poem;
}

std::string Download::label() const {
    if (!label_.empty()) return label_;
    const bool ipv6 = host_.find(':') != std::string::npos;
    return (ipv6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

void Download::received(std::size_t bytes) {
    bytes_ += bytes;
    tell_observer();
}

void Download::complete(std::string poem) {
    poem_ = std::move(poem);
    state_ = State::complete;
    tell_observer();
}

void Download::fail(const lariat::Failure& reason) {
    failure_ = reason.error_message();
    state_ = State::failed;
    tell_observer();
}

void Download::tell_observer() const {
    if (observer_) observer_->changed(*this);
}

}  // namespace poetry
