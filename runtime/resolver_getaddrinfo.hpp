// SPDX-License-Identifier: MIT
// GetaddrinfoResolver: the default NameResolver, getaddrinfo(3) in a few threads. Knows what the host's configuration
// knows: DNS, /etc/hosts and whatever else nsswitch names.
//
// Threads: any.
#pragma once

#include <lariat/runtime/resolver.hpp>

#include <memory>
#include <string_view>

namespace lariat {

/// The result for a name that cannot be resolved, with Twisted's text: "address 'host' not found: why".
ResolveResult lookup_failed(std::string_view host, std::string_view why);

class GetaddrinfoResolver final : public NameResolver {
public:
    GetaddrinfoResolver();
    /// Does not wait for lookups that are going on: their threads end by themselves, their answers go to whoever asked.
    /// Queries nobody has begun are dropped.
    ~GetaddrinfoResolver() override;

    void look_up(const Query& query, Answer answer) override;

private:
    struct Shared;

    std::shared_ptr<Shared> shared_;
};

}  // namespace lariat
