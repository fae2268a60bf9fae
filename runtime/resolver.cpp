// SPDX-License-Identifier: MIT
#include <lariat/runtime/resolver.hpp>

#include <lariat/io/backend.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/tape.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/resolver_getaddrinfo.hpp>
#include <lariat/runtime/sender.hpp>

#include <mutex>
#include <optional>

namespace lariat {
namespace {

// An answer that needs nobody to be asked.
std::optional<ResolveResult> known_answer(const NameResolver::Query& query) {
    const bool ipv6_only = query.family == Address::Family::ipv6;
    const auto literal = Address::from_host(query.host.empty() ? ipv6_only ? "::" : "0.0.0.0" : query.host, query.port);
    if (!literal) return std::nullopt;
    if (query.family == Address::Family::none || literal->family() == query.family)
        return ResolveResult{{*literal}, {}};
    return lookup_failed(query.host, "Address family for hostname not supported");
}

// The names of a simulated network.
class SimulatedNames final : public NameResolver {
public:
    SimulatedNames(Reactor& reactor, io::Simulation& simulation) noexcept
        : reactor_(reactor), simulation_(simulation) {}

    void look_up(const Query& query, Answer answer) override {
        ResolveResult result;
        if (const std::vector<Address>* known = simulation_.look_up(query.host)) {
            for (Address address : *known) {
                address.set_port(query.port);
                const bool fits = query.family == Address::Family::none || address.family() == query.family;
                if (fits) result.addresses.push_back(address);
            }
        }
        if (result.addresses.empty()) result = lookup_failed(query.host, "[Errno -2] Name or service not known");
        reactor_.call_later(
            simulation_.draw_delay(),
            [answer = std::move(answer), result = std::move(result)]() mutable { answer(std::move(result)); });
    }

private:
    Reactor& reactor_;
    io::Simulation& simulation_;
};

std::shared_ptr<NameResolver> default_names(Reactor& reactor) {
    if (io::Simulation* simulation = reactor.backend().simulation()) {
        return std::make_shared<SimulatedNames>(reactor, *simulation);
    }
    return std::make_shared<GetaddrinfoResolver>();
}

// What DNSLookupError was made of: its text without headline and full stop.
std::string_view detail_of(std::string_view text) noexcept {
    if (text.starts_with(DNSLookupError::headline)) text.remove_prefix(DNSLookupError::headline.size());
    if (text.starts_with(": ")) text.remove_prefix(2);
    if (text.ends_with('.')) text.remove_suffix(1);
    return text;
}

}  // namespace

ResolveResult lookup_failed(std::string_view host, std::string_view why) {
    std::string text = "address '";
    text.append(host).append("' not found: ").append(why);
    return {{}, DNSLookupError(text)};
}

// Carries answers to the reactor's thread as long as there is a reactor.
struct Resolver::Outbox {
    explicit Outbox(Reactor& reactor_, Resolver& resolver_) noexcept : reactor(&reactor_), resolver(resolver_) {}

    void send(std::uint64_t id, ResolveResult result) {
        const std::lock_guard lock(mutex);
        if (!reactor) return;
        SenderContext lookup{{io::Sender::Kind::lookup, 0, id}};
        const SendingAs as(&lookup);
        reactor->call_from_thread([&to = resolver, id, result = std::move(result)]() mutable {
            to.keep_on_tape(id, result);
            to.finish(id, std::move(result));
        });
    }
    void close() noexcept {
        const std::lock_guard lock(mutex);
        reactor = nullptr;
    }

    std::mutex mutex;
    Reactor* reactor;    // guarded by the mutex; null once the resolver is gone
    Resolver& resolver;  // for the reactor's thread only
};

struct ResolveRequest::Lookup final : Timer {
    Lookup(Resolver& resolver_, std::uint64_t id_, std::string host_, Resolver::Done done_)
        : Timer(&timed_out), resolver(resolver_), id(id_), host(std::move(host_)), done(std::move(done_)) {}

    static void timed_out(Timer& timer) noexcept {
        auto& self = static_cast<Lookup&>(timer);
        self.resolver.finish(self.id, lookup_failed(self.host, "timeout error"));
    }

    Resolver& resolver;
    std::uint64_t id;
    std::string host;
    Resolver::Done done;
    ResolveRequest* handle = nullptr;
};

ResolveRequest::ResolveRequest(ResolveRequest&& other) noexcept : lookup_(std::exchange(other.lookup_, nullptr)) {
    if (lookup_) lookup_->handle = this;
}

ResolveRequest& ResolveRequest::operator=(ResolveRequest&& other) noexcept {
    if (this != &other) {
        cancel();
        lookup_ = std::exchange(other.lookup_, nullptr);
        if (lookup_) lookup_->handle = this;
    }
    return *this;
}

void ResolveRequest::cancel() noexcept {
    if (Lookup* lookup = std::exchange(lookup_, nullptr)) {
        auto node = lookup->resolver.lookups_.extract(lookup->id);  // what it captured dies outside of the map
    }
}

Resolver::Resolver(Reactor& reactor)
    : reactor_(reactor),
      default_names_(default_names(reactor)),
      names_(default_names_),
      outbox_(std::make_shared<Outbox>(reactor, *this)) {}

Resolver::~Resolver() {
    outbox_->close();
    while (!lookups_.empty()) {
        auto node = lookups_.extract(lookups_.begin());
        if (node.mapped()->handle) node.mapped()->handle->lookup_ = nullptr;
    }
}

ResolveRequest Resolver::resolve(std::string_view host, std::uint16_t port, const ResolveOptions& options, Done done) {
    const std::uint64_t id = next_id_++;
    const NameResolver::Query query{std::string(host), port, options.family()};
    Lookup& lookup = *(lookups_[id] = std::make_unique<Lookup>(*this, id, query.host, std::move(done)));
    ResolveRequest request;
    request.lookup_ = &lookup;
    lookup.handle = &request;
    if (std::optional<ResolveResult> known = known_answer(query)) {
        outbox_->send(id, *std::move(known));
    } else {
        reactor_.timers().arm(lookup, saturating_add(reactor_.now(), options.timeout()));
        const io::Tape* const tape = reactor_.backend().tape();
        if (tape && tape->replays() && names_ == default_names_ && !reactor_.backend().simulation()) {
            if (tape->has_answer(id)) outbox_->send(id, {});  // the tape replaces it when its turn has come
            return request;
        }
        names_->look_up(query, [outbox = outbox_, id](ResolveResult result) { outbox->send(id, std::move(result)); });
    }
    return request;
}

std::shared_ptr<NameResolver> Resolver::install(std::shared_ptr<NameResolver> replacement) {
    LARIAT_CHECK(replacement != nullptr, "install a NameResolver, not a null pointer");
    return std::exchange(names_, std::move(replacement));
}

void Resolver::keep_on_tape(std::uint64_t id, ResolveResult& result) {
    io::Tape* const tape = reactor_.backend().tape();
    if (!tape) return;
    io::NameAnswer answer{result.addresses, std::nullopt};
    if (result.failure) answer.failure = detail_of(result.failure.error_message());
    tape->answer(id, answer);
    result.addresses = std::move(answer.addresses);
    if (!answer.failure) {
        result.failure = Failure();
    } else if (!result.failure) {
        result.failure = DNSLookupError(*answer.failure);
    }
}

void Resolver::finish(std::uint64_t id, ResolveResult result) noexcept {
    const auto node = lookups_.extract(id);
    if (!node) return;  // cancelled, or timed out
    Lookup& lookup = *node.mapped();
    lookup.disarm();
    if (lookup.handle) lookup.handle->lookup_ = nullptr;
    guarded("Unhandled Error in the callback of a name lookup", [&] { lookup.done(std::move(result)); });
}

}  // namespace lariat
