// SPDX-License-Identifier: MIT
// A poll by line: "vote WORD", "withdraw WORD", "leader". usage: poll_server PORT; 0 lets the kernel choose.
//
// It has a bug, which some conversations show and most do not: docs/replay.md records one and finds it in gdb.
#include "../echo/port_argument.hpp"
#include <lariat/lariat.hpp>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>

using namespace lariat;

using Votes = std::map<std::string, int, std::less<>>;

const Votes::value_type* leader(const Votes& votes) {
    const Votes::value_type* best = nullptr;
    for (const Votes::value_type& each : votes) {
        if (each.second > (best ? best->second : 0)) best = &each;
    }
    return best;
}

std::string answer(Votes& votes, std::string_view line) {
    const std::size_t space = line.find(' ');
    const std::string_view verb = line.substr(0, space);
    const std::string word(space == std::string_view::npos ? "" : line.substr(space + 1));
    if (verb == "vote") return word + " has " + std::to_string(++votes[word]) + "\n";
    if (verb == "withdraw") {
        const auto found = votes.find(word);
        if (found == votes.end() || found->second == 0) return "nobody voted for " + word + "\n";
        return word + " has " + std::to_string(--found->second) + "\n";
    }
    if (verb != "leader") return "vote WORD, withdraw WORD or leader\n";
    if (votes.empty()) return "nobody has voted\n";
    return leader(votes)->first + " leads\n";
}

Task<> serve_client(TcpStream peer, std::reference_wrapper<Votes> votes) {
    const std::string name = peer.peer_address().str();
    while (const Buffer line = co_await peer.read_until("\n")) {
        std::printf("%s: %s", name.c_str(), line.str().c_str());
        std::fflush(stdout);
        co_await peer.write(answer(votes, line.text().substr(0, line.size() - 1)));
    }
}

Task<> serve(Address where) {
    Votes votes;
    Listener listener(where);
    std::printf("listening on %s\n", listener.local_address().str().c_str());
    std::fflush(stdout);
    co_await listener.serve(serve_client, std::ref(votes));
}

int main(int argc, char** argv) try {
    return run(serve(Address::loopback(port_argument(argc, argv))));
} catch (const Error& error) {
    std::fprintf(stderr, "poll_server: %s\n", error.what());
    return 2;
}
