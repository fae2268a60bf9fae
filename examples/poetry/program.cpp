// SPDX-License-Identifier: MIT
#include "program.hpp"

#include "display.hpp"
#include "poetry_client.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>

namespace poetry {

using lariat::describe_errno;
using lariat::Error;
using lariat::UsageError;

int serve(lariat::Reactor& reactor, const std::string& file, const lariat::Address& where) {
    // Whoever reads this line may send SIGINT at once: it is written when the reactor catches it.
    reactor.call_when_running([&file, &where] {
        std::printf("serving %s on %s\n", file.c_str(), where.str().c_str());
        std::fflush(stdout);
    });
    return reactor.run();
}

int report_error(const char* program) {
    try {
        throw;
    } catch (const ExitNow& exit) {
        return exit.status();
    } catch (const UsageError& error) {
        std::fprintf(stderr, "%s: %s\n", program, error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", program, error.what());
        return 1;
    }
}

int run_client(const ClientOptions& options) {
    std::vector<Download> downloads = options.downloads;
    Display display(stderr, downloads);
    get_poetry(options.style, downloads, options.reactor);

    bool all = true;
    for (const Download& download : downloads) {
        all = all && download.state() == Download::State::complete;
        std::fwrite(download.poem().data(), 1, download.poem().size(), stdout);
    }
    if (std::fflush(stdout) != 0) throw Error(describe_errno("stdout", errno), errno);
    return all ? 0 : 1;
}

}  // namespace poetry
