// SPDX-License-Identifier: MIT
#include <lariat/testing/mktemp.hpp>

#include <lariat/io/base/error.hpp>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace lariat::testing {
namespace {

class Folder {
public:
    Folder() {
        std::error_code failed;
        const std::filesystem::path where = std::filesystem::temp_directory_path(failed);
        path_ = ((failed ? "/tmp" : where) / "lariat-test-XXXXXX").string();
        if (!::mkdtemp(path_.data())) throw Error(describe_errno("mkdtemp " + path_, errno), errno);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;  // what cannot be removed stays
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string next() { return path_ + "/" + std::to_string(++count_); }

private:
    std::string path_;
    std::atomic<unsigned> count_{0};
};

}  // namespace

std::string mktemp() {
    static Folder folder;
    return folder.next();
}

}  // namespace lariat::testing
