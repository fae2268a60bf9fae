// SPDX-License-Identifier: MIT
// Random scripts of sockets of datagrams give the same answers on every backend: what arrives, from whom, what is
// refused and who hears of it. Each step waits for what it must cause, so that the answers do not depend on time.
#include <lariat/io/base/random.hpp>
#include <lariat/test/support/datagram_world.hpp>
#include <lariat/test/support/differential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <poll.h>

namespace lariat {
namespace {

using namespace lariat::test;

class DatagramScript : private SeenLines {
public:
    DatagramScript(io::BackendKind kind, std::uint64_t seed) : world_(kind), random_(seed) {}

    std::vector<std::string> run(int steps) {
        for (Place& place : places_) open(place);
        for (int i = 0; i < steps; ++i) step();
        for (Place& place : places_) place.station.reset();
        return take();
    }

private:
    struct Place {
        int domain;
        Address address{};  // kept when it is closed
        std::optional<Station> station{};
        Place* peer = nullptr;
        std::size_t unread = 0;  // datagrams
        bool refused = false;    // an error waits to be told
        std::size_t told = 0;    // of the station's texts
    };

    void open(Place& place) {
        place.station.emplace(world_, place.address.port() != 0 ? place.address : loopback_of(place.domain));
        place.address = place.station->address;
        place.peer = nullptr;
        place.unread = place.told = 0;
        place.refused = false;
    }

    void step() {
        Place& place = places_[random_.below(places_.size())];
        say("place", who(place.address.str()));
        if (!place.station) {
            if (random_.chance(500)) say("opens again"), open(place);
            return;
        }
        switch (random_.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: return send(place, places_[random_.below(places_.size())]);
        case 5: return read(place);
        case 6: return stop_reading(place);
        case 7: return connect(place, places_[random_.below(places_.size())]);
        case 8: return look(place);
        default: return random_.chance(300) ? close(place) : read(place);
        }
    }

    void send(Place& from, Place& to) {
        if (from.domain != to.domain) return;
        if (to.unread == 15) return;  // all backends have room for so many
        const std::string text = pattern(random_.chance(100) ? 0 : random_.between(1, 3000), ++sends_);
        const bool to_peer = from.peer == &to && random_.chance(800);
        const std::ptrdiff_t result = from.station->send(text, to_peer ? Address() : to.address);
        say("send to", who(to.address.str()), to_peer ? "its peer:" : ":", text.size(), "=", result);
        if (result < 0) {
            from.refused = false;
            return;
        }
        if (to.station && (!to.peer || to.peer == &from)) {
            ++to.unread;
            await_arrival(to);
            CHECK(to.told <= to.station->texts.size());
        } else if (from.peer == &to) {
            from.refused = true;
            await_refusal(from);
        } else {
            let_arrive();  // and be dropped
        }
    }

    void await_arrival(Place& place) {
        Station& station = *place.station;
        if (!reading(place)) return let_arrive();
        world_.pump_until([&] { return station.texts.size() - place.told == place.unread; });
        for (; place.told < station.texts.size(); ++place.told) {
            say("receives", station.texts[place.told].size(), "whole:", whole(station.texts[place.told]), "from",
                who(station.senders[place.told]));
        }
        place.unread = 0;
    }

    void await_refusal(Place& place) {
        if (!reading(place)) return say("an error waits", poll(place, 0));
        tell_of_refusal(place);
    }

    void tell_of_refusal(Place& place) {
        std::vector<std::int32_t>& results = place.station->receive.results;
        const auto refused = [&] { return std::count(results.begin(), results.end(), -ECONNREFUSED); };
        world_.pump_until([&] { return refused() > 0; });
        say("is told", refused(), "times");
        results.clear();
        place.refused = false;
    }

    // Until what is under way is there; on a kernel it is when the send has returned.
    void let_arrive() {
        if (!world_->simulation()) return;
        const TimePoint then = world_->now() + std::chrono::milliseconds(10);
        world_.pump_until([&] { return world_->now() >= then; });
    }

    void read(Place& place) {
        if (reading(place)) return;
        place.station->receive.results.clear();
        place.station->receive.submit();
        if (place.refused) tell_of_refusal(place);
        await_arrival(place);
    }

    void stop_reading(Place& place) {
        if (!reading(place)) return;
        place.station->receive.cancel_and_wait();
        say("reading stops", place.station->receive.last());
    }

    void connect(Place& place, Place& to) {
        if (place.unread > 0 || place.domain != to.domain) return;  // what has come is from others, too
        say("connect to", who(to.address.str()), world_->connect(place.station->fd, to.address));
        place.peer = &to;
        Address peer;
        world_->peer_address(place.station->fd, peer);
        say("peer", who(peer.str()));
    }

    void look(Place& place) { say("events", poll(place, POLLIN | POLLOUT)); }

    void close(Place& place) {
        stop_reading(place);
        world_.close(place.station->fd);
        place.station.reset();
        say("close");
    }

    static bool reading(Place& place) { return place.station->receive.op.in_flight(); }
    bool whole(const std::string& text) {
        for (std::uint32_t seed = 1; seed <= sends_; ++seed) {
            if (text == pattern(text.size(), seed)) return true;
        }
        return false;
    }
    std::size_t who(const std::string& sender) {
        for (std::size_t i = 0; i < places_.size(); ++i) {
            if (places_[i].address.str() == sender) return i;
        }
        return places_.size();
    }
    std::int32_t poll(Place& place, std::uint32_t events) {
        Polling polling(world_, place.station->fd);
        polling.op.events = events;
        polling.submit();
        polling.wait();
        return polling.last();
    }

    World world_;
    Random random_;
    std::uint32_t sends_ = 0;
    std::vector<Place> places_ = [] {
        std::vector<Place> places(5);
        for (std::size_t i = 0; i < places.size(); ++i) places[i].domain = i < 3 ? AF_INET : AF_INET6;
        return places;
    }();
};

TEST_CASE("scripts of datagrams give the same answers on every backend") {
    require_same_everywhere<DatagramScript>(60, 150);
}

}  // namespace
}  // namespace lariat
