// SPDX-License-Identifier: MIT
// A chat room: visitors join, speak, listen and leave, some orderly, some not; some with Tasks, some with a Protocol
// and Deferreds. The room distributes what is said in ticks, and shows out who does not listen for too long. Whatever
// befalls: each visitor hears of each speaker every line from the first one it hears on, in order and nobody else's
// words, up to the speaker's farewell, its own included; once the network is whole, everybody has an orderly visit.
#include "chat_visit.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration quiet_from = 30s;
constexpr Duration tick = 20ms;
constexpr std::uint16_t port = 6667;

struct Member {
    std::string name;
    std::uint64_t lines = 0;  // that the room has taken
    Queue<std::string> outbox{8};
    TaskScope* visit = nullptr;
    bool has_left = false;  // everybody is told
};

class Room {
public:
    Mutex mutex;  // of members
    std::vector<Member*> members;
    Queue<std::string> said{16};
};

/// From now to a tick that comes: the next one, or one after that. Lines and limits come at the same times, so that one
/// often meets the other.
Duration until_tick(int which) {
    const Duration now = Reactor::current()->now().time_since_epoch();
    return (now / tick + which) * tick - now;
}

Task<> distribute(Room& room) {
    while (const auto line = co_await room.said.get()) {
        co_await sleep(until_tick(1));
        const auto lock = co_await room.mutex.scoped_lock();
        for (Member* member : room.members) {
            const Outcome<> put = co_await as_result(member->outbox.put(*line).within(until_tick(100)));
            if (put.check<TimedOut>() && member->visit) member->visit->cancel();
        }
    }
}

/// Ends behind its own farewell.
Task<> write_out(TcpStream& peer, Member& member) {
    const std::string farewell = "-" + member.name + " ";
    bool ended = false;
    try {
        while (!ended) {
            const auto line = co_await as_result(member.outbox.get().within(until_tick(25)));
            if (line.check<TimedOut>()) {
                co_await peer.write("ping\n");
                continue;
            }
            ended = !*line || (*line)->starts_with(farewell);
            if (*line) co_await peer.write(**line + "\n");
        }
    } catch (const ConnectionClosed&) {  // the reader hears of it, too
    }
}

Task<> join(Room& room, Member& member) {
    const auto lock = co_await room.mutex.scoped_lock();
    room.members.push_back(&member);
}

Task<> say_farewell(Room& room, Member& member) {
    co_await room.said.put("-" + member.name + " " + std::to_string(member.lines));
    member.has_left = true;
}

/// From now on nothing of the room refers to the member.
Task<> leave(Room& room, Member& member) {
    const auto lock = co_await room.mutex.scoped_lock();
    std::erase(room.members, &member);
}

Task<> converse(TaskScope& scope, TcpStream& peer, Room& room, Member& member) {
    auto input = lines(peer);
    const auto first = co_await input.next();
    if (!first || !first->starts_with("join ")) co_return;
    member.name = first->substr(5);
    co_await join(room, member);
    member.visit = &scope;
    const JoinHandle<> writer = scope.spawn(write_out, std::ref(peer), std::ref(member));
    co_await room.said.put("+" + member.name);
    while (const auto line = co_await input.next()) {
        if (*line == "leave") {
            co_await say_farewell(room, member);
            co_await writer.join().within(60s);
            co_return;
        }
        // The last line of a connection that broke may lack its end.
        if (!line->starts_with("say ") || !line->ends_with('.')) break;
        co_await room.said.put(member.name + line->substr(3));
        ++member.lines;
    }
    scope.cancel();
}

Task<> receive_visitor(TcpStream peer, Room& room) {
    Member member;
    const Outcome<> outcome =
        co_await as_result(with_scope(converse, std::ref(peer), std::ref(room), std::ref(member)));
    const bool stayed = std::exchange(member.visit, nullptr) && !member.has_left;
    member.outbox.close();
    co_await shield(leave(room, member));
    // Those who are still there are told, unless the room closes: nobody distributes any more then.
    if (stayed && !outcome.check<Cancelled>()) co_await say_farewell(room, member);
}

Task<> host_visitors(TaskScope& scope, Room& room, bool with_protocols) {
    scope.spawn(distribute, std::ref(room));
    if (with_protocols) {
        insist([&room] { return Reactor::current()->listen_tcp(port, as_protocol(receive_visitor, std::ref(room))); });
        co_return;
    }
    Listener listener = insist([] { return Listener(Address::any_ipv4(port)); });
    co_await listener.serve(receive_visitor, std::ref(room));
}

int host_room(Trial& trial, bool with_protocols) {
    return trial.run_program("room", [with_protocols](Reactor& reactor) {
        Room room;  // outlives those who were not spawned into a scope
        return lariat::run(reactor, with_scope(host_visitors, std::ref(room), with_protocols));
    });
}

Task<> visit_on(Trial& trial, Hall& hall, Random random) {
    for (int i = 0;; ++i) {
        const bool whole = trial.is_quiet();
        const Random own = random.fork(std::to_string(i));
        bool orderly = false;
        try {
            if (random.chance(500)) {
                orderly = co_await with_timeout(5min, visit_with_stream(trial, hall, port, own));
            } else {
                orderly = co_await visit_with_protocol(trial, hall, port, own);
            }
        } catch (const Error&) {  // the network's
        }
        if (orderly && whole) co_return;
        co_await sleep(std::chrono::milliseconds(random.between(1, 10'000)));
    }
}

Task<> visit_several(TaskScope& scope, Trial& trial, Hall& hall, Random random) {
    spawn_some(scope, random, visit_on, trial, hall);
    co_return;
}

int visit(Trial& trial, Hall& hall, const std::string& name) {
    return trial.run_program(name, [&](Reactor& reactor) {
        return lariat::run(reactor, with_scope(visit_several, std::ref(trial), std::ref(hall), trial.random(name)));
    });
}

}  // namespace

void chat(Trial& trial) {
    Random random = trial.random("hosts");
    const auto hall = std::make_shared<Hall>();
    const bool with_protocols = random.chance(500);
    const std::uint64_t clients = random.between(1, 3);
    trial.run_hosts({"room"}, clients, quiet_from, [&trial, hall, with_protocols](const std::string& host) {
        return host == "room" ? host_room(trial, with_protocols) : visit(trial, *hall, host);
    });
    trial.require(hall->visits_begun == hall->visits_ended, "a visit never ended");
}

}  // namespace lariat::test
