// SPDX-License-Identifier: MIT
#include <lariat/testing/leftovers.hpp>

#include <lariat/coro/sleep.hpp>
#include <lariat/coro/task_tree.hpp>
#include <lariat/io/backend.hpp>
#include <lariat/runtime/connection.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <utility>

namespace lariat::testing::detail {
namespace {

// A kernel takes a moment to let go of a socket that was closed; nobody waits that long for one that was not.
constexpr Duration patience = std::chrono::milliseconds(100);
constexpr Duration look_every = std::chrono::milliseconds(1);

// As many turns as a chain of calls without a delay may be long.
constexpr int settling_turns = 8;

std::string in_words(Duration time) {
    char text[32];
    const double seconds = std::chrono::duration<double>(time).count();
    std::snprintf(text, sizeof text, seconds < 100 ? "%.3g s" : "%.0f s", seconds);
    return text;
}

/// The blocks of dump_tasks(): one for each task at the root of the tree, then one for each function that returns a
/// Deferred. Lines that continue one are indented.
std::vector<std::string> blocks(const std::string& dump) {
    std::vector<std::string> found;
    std::size_t begin = dump.find('\n') + 1;  // behind "3 tasks"
    while (begin < dump.size()) {
        std::size_t end = dump.find('\n', begin);
        while (end + 1 < dump.size() && dump[end + 1] == ' ') end = dump.find('\n', end + 1);
        found.push_back(dump.substr(begin, end - begin));
        begin = end + 1;
    }
    return found;
}

/// One entry for each object, however often it is used.
template <class T>
void note(std::vector<std::weak_ptr<T>>& known, std::weak_ptr<T> object) {
    std::erase_if(known, [&](const std::weak_ptr<T>& each) {
        return each.expired() || (!each.owner_before(object) && !object.owner_before(each));
    });
    known.push_back(std::move(object));
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Leftovers::Leftovers(Reactor& reactor) : reactor_(reactor), known_coroutines_(blocks(dump_tasks(reactor))) {
    reactor_.set_tcp_observer(this);
}

void Leftovers::connecting(Connector& connector) { note(connectors_, connector.weak_from_this()); }
void Leftovers::listening(Port& port) { note(ports_, port.weak_from_this()); }

Task<std::vector<std::string>> Leftovers::find() {
    for (int turn = 0; turn < settling_turns; ++turn) co_await sleep(Duration::zero());
    std::vector<std::string> found = delayed_calls();  // at once: they must not run and so pass unseen
    const TimePoint end = reactor_.now() + patience;
    while ((!sockets().empty() || !coroutines().empty()) && reactor_.now() < end) co_await sleep(look_every);
    append(found, sockets());
    append(found, coroutines());
    const std::size_t watched = reactor_.readers().size() + reactor_.writers().size();
    if (watched > 0) found.push_back(std::to_string(watched) + " watched descriptors");
    co_return found;
}

std::vector<std::string> Leftovers::delayed_calls() const {
    std::vector<std::string> found;
    for (const DelayedCall& call : reactor_.delayed_calls()) {
        const std::source_location where = call.where();
        found.push_back("a delayed call, due in " + in_words(call.time() - reactor_.now()) + ", asked for at "
                        + where.file_name() + ":" + std::to_string(where.line()));
    }
    return found;
}

std::vector<std::string> Leftovers::sockets() const {
    std::vector<std::string> found;
    std::size_t named = 0;
    for (const auto& weak : ports_) {
        const std::shared_ptr<Port> port = weak.lock();
        if (!port || !port->listening()) continue;
        found.push_back("a port, " + port->str());
        named += 2;  // one is held ready for when there are no more
    }
    for (const auto& weak : connectors_) {
        const std::shared_ptr<Connector> connector = weak.lock();
        if (!connector || connector->state() != Connector::State::connecting) continue;
        found.push_back("a connection that is being made, to " + connector->destination().str());
        ++named;
    }
    for (const Connection* connection : reactor_.connections()) {
        found.push_back("a connection, from " + connection->local_address().str() + " to "
                        + connection->peer_address().str());
        ++named;
    }
    const std::size_t open = reactor_.backend().ledger().descriptors;
    if (open > named) found.push_back(std::to_string(open - named) + " open descriptors");
    return found;
}

std::vector<std::string> Leftovers::coroutines() const {
    std::vector<std::string> found = blocks(dump_tasks(reactor_));
    if (!found.empty()) found.erase(found.begin());  // the one that asks
    for (const std::string& known : known_coroutines_) {
        const auto place = std::find(found.begin(), found.end(), known);
        if (place != found.end()) found.erase(place);
    }
    for (std::string& each : found) each.insert(0, "a coroutine that has not ended: ");
    return found;
}

}  // namespace lariat::testing::detail
