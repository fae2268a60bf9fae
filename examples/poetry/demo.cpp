// SPDX-License-Identifier: MIT
// The demo: slow servers of poetry and one that is dead, a client in each of the three styles that downloads
// from all of them at once, and a race of the two backends. The servers are the program slow_server beside
// this one.
#include "child_process.hpp"
#include "display.hpp"
#include "options.hpp"
#include "poem.hpp"
#include "poetry_client.hpp"
#include "program.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace lariat;
using poetry::Download;

constexpr std::size_t bytes_at_once = 10;

/// A port nobody listens on. The socket is bound, so that no other program can get the port meanwhile.
class DeadPort {
public:
    DeadPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage name{};
        socklen_t size = sizeof name;
        const Address any_port = Address::loopback(0);
        if (fd_ < 0 || ::bind(fd_, any_port.data(), any_port.size()) != 0
            || ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
            throw Error(describe_errno("no port for the dead server", errno), errno);
        }
        address_ = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&name), size);
    }
    DeadPort(const DeadPort&) = delete;
    DeadPort& operator=(const DeadPort&) = delete;
    ~DeadPort() { ::close(fd_); }

    const Address& address() const { return address_; }

private:
    int fd_;
    Address address_;
};

struct Poem {
    std::string name;
    std::string file;
    std::string text;
    std::unique_ptr<poetry::ServerProcess> server;
};

std::vector<Poem> read_poems(const std::filesystem::path& folder) {
    std::vector<Poem> poems;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::filesystem::path& path = entry.path();
        if (path.extension() != ".txt") continue;
        poems.push_back({path.stem().string(), path.string(), poetry::read_poem(path.string()), nullptr});
    }
    if (poems.empty()) throw Error(folder.string() + ": there is no poem (*.txt)");
    std::sort(poems.begin(), poems.end(), [](const Poem& a, const Poem& b) { return a.name < b.name; });
    return poems;
}

/// The poems end one after the other between half of `seconds` and all of it.
void start_servers(std::vector<Poem>& poems, const std::filesystem::path& programs,
                   const poetry::DemoOptions& options) {
    for (std::size_t i = 0; i < poems.size(); ++i) {
        const double share = 0.5 + 0.5 * static_cast<double>(i + 1) / static_cast<double>(poems.size());
        const double pauses = static_cast<double>(poems[i].text.size() / bytes_at_once + 1);
        const std::string delay = std::to_string(options.seconds * share / pauses);
        std::vector<std::string> command = {(programs / "slow_server").string(), poems[i].file, "--delay", delay};
        command.insert(command.end(), {"--bytes", std::to_string(bytes_at_once)});
        if (!options.backend.empty()) command.insert(command.end(), {"--backend", options.backend});
        poems[i].server = std::make_unique<poetry::ServerProcess>(command);
    }
}

/// Downloads everything with one style and prints what came of it. True when all of it is as it should be.
bool download_all(poetry::Style style, const std::vector<Poem>& poems, const Address& dead,
                  const ReactorOptions& reactor) {
    std::vector<Download> downloads;
    for (const Poem& poem : poems) {
        const Address& from = poem.server->address();
        Download& download = downloads.emplace_back(from.host(), from.port());
        download.set_label(poem.name);
        download.set_expected_bytes(poem.text.size());
    }
    downloads.emplace_back(dead.host(), dead.port()).set_label("(dead server)");
    {
        const poetry::Display display(stdout, downloads);
        if (!poetry::get_poetry(style, downloads, reactor)) throw Error("interrupted");
    }

    std::size_t equal = 0;
    for (std::size_t i = 0; i < poems.size(); ++i) {
        if (downloads[i].poem() == poems[i].text) {
            ++equal;
        } else {
            std::printf("%s differs from its file\n", poems[i].name.c_str());
        }
    }
    const bool reported = downloads.back().state() == Download::State::failed;
    std::printf("%zu of %zu poems equal their files byte for byte; the dead server was %sreported.\n\n", equal,
                poems.size(), reported ? "" : "NOT ");
    return equal == poems.size() && reported;
}

int race(const std::filesystem::path& bench, double seconds) {
    std::printf("Echo on uring against epoll\n");
    std::fflush(stdout);
    if (const auto reason = io::why_no_uring()) {
        std::printf("left out: %s\n", reason->c_str());
        return 0;
    }
    if (!std::filesystem::exists(bench)) throw Error(bench.string() + " is not built");
    return poetry::run_to_end({bench.string(), "race", "--seconds", std::to_string(seconds)});
}

int demo(const poetry::DemoOptions& options) {
    const std::filesystem::path programs = std::filesystem::canonical("/proc/self/exe").parent_path();
    std::vector<Poem> poems = read_poems(options.poems);
    start_servers(poems, programs, options);
    const DeadPort dead;
    const std::string backend(Reactor(options.reactor).backend().name());
    std::printf("%zu poems on %zu slow servers, and a dead one; the clients run on %s\n\n", poems.size(), poems.size(),
                backend.c_str());

    bool good = true;
    const std::pair<poetry::Style, const char*> styles[] = {
        {poetry::Style::callbacks, "Protocol and ClientFactory: callbacks"},
        {poetry::Style::deferred, "Deferreds: chained callbacks and inlineCallbacks"},
        {poetry::Style::task, "Tasks: co_await in a scope"},
    };
    for (const auto& [style, title] : styles) {
        std::printf("%s\n", title);
        good = download_all(style, poems, dead.address(), options.reactor) && good;
    }
    if (options.race && race(programs / "../../bench/lariat-bench", options.race_seconds) != 0) good = false;
    return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try { return demo(poetry::parse_demo("demo", argc, argv)); } catch (...) {
    return poetry::report_error("demo");
}
