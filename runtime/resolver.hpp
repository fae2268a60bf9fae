// SPDX-License-Identifier: MIT
// Resolver: names to addresses, asynchronously. A Reactor has one. What looks names up is behind it and can be
// replaced; by default getaddrinfo(3) in a few threads of its own, so that slow lookups never hold up call_in_thread().
//
// Threads: the reactor's, except where said.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/runtime/failure.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lariat {

class Reactor;
class Resolver;

/// Addresses in the order of preference, or a failure: DNSLookupError.
struct ResolveResult {
    std::vector<Address> addresses;
    Failure failure;

    explicit operator bool() const noexcept { return !failure; }
};

/// What kind of addresses are wanted, and for how long to try.
class ResolveOptions {
public:
    /// ipv4 or ipv6; `none`, the default, is both.
    ResolveOptions& family(Address::Family family) noexcept { return family_ = family, *this; }
    /// The default is the sum of Twisted's attempts, 1 + 3 + 11 + 45 seconds.
    ResolveOptions& timeout(Duration timeout) noexcept { return timeout_ = timeout, *this; }

    [[nodiscard]] Address::Family family() const noexcept { return family_; }
    [[nodiscard]] Duration timeout() const noexcept { return timeout_; }

private:
    Address::Family family_ = Address::Family::none;
    Duration timeout_ = std::chrono::seconds(60);
};

/// What looks names up.
class NameResolver {
public:
    struct Query {
        std::string host;  ///< never an IP literal, never empty
        std::uint16_t port = 0;
        Address::Family family = Address::Family::none;
    };
    /// Takes the one answer to a query; from any thread, also after the query was cancelled or its reactor died.
    using Answer = Function<void(ResolveResult)>;

    virtual ~NameResolver() = default;
    /// Begins to look `query` up. `answer` may be called inside this call or later. A lookup that fails is a result,
    /// not an exception.
    virtual void look_up(const Query& query, Answer answer) = 0;
};

/// One resolution that is going on. Destroying it cancels: nothing is called any more, and an answer that still comes
/// is dropped.
class ResolveRequest {
public:
    ResolveRequest() noexcept = default;
    ResolveRequest(ResolveRequest&& other) noexcept;
    ResolveRequest& operator=(ResolveRequest&& other) noexcept;
    ~ResolveRequest() { cancel(); }

    void cancel() noexcept;
    [[nodiscard]] bool is_active() const noexcept { return lookup_ != nullptr; }

private:
    friend class Resolver;
    struct Lookup;

    Lookup* lookup_ = nullptr;
};

class Resolver {
public:
    using Done = Function<void(ResolveResult)>;

    explicit Resolver(Reactor& reactor);
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    /// Cancels everything. Lookups that hang in the system are left behind with their thread.
    ~Resolver();

    /// Calls `done` once, from the loop, never inside this call. IP literals are answered as they are, and "" with the
    /// address that means all of this host's, without asking anybody; names of other kinds by the name resolver.
    ///
    /// Cancellation: destroying the returned request. Errors: in the result, DNSLookupError with the system's text, or
    /// with "timeout error".
    [[nodiscard]] ResolveRequest resolve(std::string_view host, std::uint16_t port, const ResolveOptions& options,
                                         Done done);

    /// Replaces what looks names up and returns what did until now. Queries that are under way stay with the old one.
    std::shared_ptr<NameResolver> install(std::shared_ptr<NameResolver> replacement);

private:
    friend class ResolveRequest;
    using Lookup = ResolveRequest::Lookup;
    struct Outbox;

    void keep_on_tape(std::uint64_t id, ResolveResult& result);
    void finish(std::uint64_t id, ResolveResult result) noexcept;

    Reactor& reactor_;
    std::shared_ptr<NameResolver> default_names_;
    std::shared_ptr<NameResolver> names_;
    std::shared_ptr<Outbox> outbox_;
    std::map<std::uint64_t, std::unique_ptr<Lookup>> lookups_;
    std::uint64_t next_id_ = 1;
};

}  // namespace lariat
