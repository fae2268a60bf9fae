// SPDX-License-Identifier: MIT
#include <lariat/io/address.hpp>

#include <lariat/io/base/error.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <net/if.h>
#include <random>
#include <vector>

using namespace lariat;

namespace {

std::string why_not(std::string_view text) {
    std::string why;
    CHECK_FALSE(Address::parse(text, &why));
    CHECK(why.find('\n') == std::string::npos);
    return why;
}

}  // namespace

TEST_SUITE_BEGIN("io address");

TEST_CASE("addresses print as they are written") {
    for (const char* text :
         {"127.0.0.1:8000", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8000", "[::]:0", "[2001:db8::a:1]:443",
          "[fe80::1%7]:8000", "[::ffff:10.0.0.1]:53", "unix:/run/service.sock", "unix:relative.sock", "unix:@abstract",
          "unix:/with spaces: and colons"}) {
        CAPTURE(text);
        const Address address(text);
        CHECK(address.str() == text);
        CHECK(Address(address.str()) == address);
    }
    CHECK(Address("[0:0:0:0:0:0:0:1]:1").str() == "[::1]:1");
    CHECK(Address().str() == "none");
}

TEST_CASE("the parts of an address can be asked for") {
    const Address four("10.1.2.3:80");
    CHECK(four.family() == Address::Family::ipv4);
    CHECK(four.is_ip());
    CHECK(four.host() == "10.1.2.3");
    CHECK(four.port() == 80);
    CHECK(four.domain() == AF_INET);
    CHECK(four.size() == sizeof(sockaddr_in));

    const Address six("[fe80::2%3]:443");
    CHECK(six.family() == Address::Family::ipv6);
    CHECK(six.host() == "fe80::2%3");
    CHECK(six.scope_id() == 3);
    CHECK(six.flow_info() == 0);

    const Address path("unix:/tmp/x");
    CHECK(path.family() == Address::Family::unix_path);
    CHECK_FALSE(path.is_ip());
    CHECK(path.host() == "/tmp/x");
    CHECK(path.port() == 0);

    const Address none;
    CHECK(none.family() == Address::Family::none);
    CHECK(none.host().empty());
    CHECK(none.size() == 0);
}

TEST_CASE("a scope may be the name of an interface") {
    char name[IF_NAMESIZE];
    unsigned index = 1;
    while (index < 100 && !::if_indextoname(index, name)) ++index;
    if (index == 100) return;  // a machine without any interface
    const Address address("[fe80::1%" + std::string(name) + "]:1");
    CHECK(address.scope_id() == index);
    CHECK(address.host() == "fe80::1%" + std::to_string(index));
}

TEST_CASE("what is not an address is refused with a clear reason") {
    CHECK(why_not("300.1.1.1:80")
          == "'300.1.1.1:80' is not an address: '300.1.1.1' is no IP literal, and names must be resolved first");
    CHECK(why_not("localhost:80").find("names must be resolved") != std::string::npos);
    CHECK(why_not("") == "'' is not an address: it is empty");
    CHECK(why_not("127.0.0.1") == "'127.0.0.1' is not an address: the port is missing");
    CHECK(why_not("[::1]").ends_with("the port is missing"));
    CHECK(why_not("127.0.0.1:").ends_with("'' is no port number from 0 to 65535"));
    CHECK(why_not("127.0.0.1:65536").ends_with("'65536' is no port number from 0 to 65535"));
    CHECK(why_not("127.0.0.1:-1").ends_with("'-1' is no port number from 0 to 65535"));
    CHECK(why_not("127.0.0.1:80x").ends_with("'80x' is no port number from 0 to 65535"));
    CHECK(why_not("127.0.0.1: 80").ends_with("' 80' is no port number from 0 to 65535"));
    CHECK(why_not(":80").ends_with("the host is missing"));
    CHECK(why_not("[]:80").ends_with("the host is missing"));
    CHECK(why_not("::1:80").ends_with("an IPv6 address needs brackets, as in [::1]:80"));
    CHECK(why_not("[::1").ends_with("']' is missing"));
    CHECK(why_not("[::1]80").ends_with("':' and a port must follow ']'"));
    CHECK(why_not("[1.2.3.4]:80").ends_with("only IPv6 addresses stand in brackets"));
    CHECK(why_not("[fe80::1%no-such-nic]:80").ends_with("there is no network interface 'no-such-nic'"));
    CHECK(why_not("1.2.3:80").find("no IP literal") != std::string::npos);
    CHECK(why_not("unix:").ends_with("a UNIX address needs a path"));
    CHECK(why_not("unix:@").ends_with("an abstract UNIX address needs a name"));
    CHECK(why_not("unix:/" + std::string(107, 'x')).ends_with("at most 107 bytes, this one 108"));
    CHECK(why_not(std::string_view("unix:/a\0b", 9)).ends_with("cannot contain a NUL byte"));
    CHECK(why_not(std::string_view("127.0.0.1\0:80", 13)).find("no IP literal") != std::string::npos);
    CHECK_THROWS_AS(Address("nonsense"), UsageError);
}

TEST_CASE("hosts and paths need no port or prefix") {
    CHECK(Address::from_host("127.0.0.1", 80)->str() == "127.0.0.1:80");
    CHECK(Address::from_host("::1", 80)->str() == "[::1]:80");
    CHECK_FALSE(Address::from_host("[::1]", 80));
    CHECK_FALSE(Address::from_host("example.org", 80));
    CHECK_FALSE(Address::from_host("", 80));
    CHECK_FALSE(Address::from_host("127.0.0.1%1", 80));
    CHECK_FALSE(Address::from_host(std::string(1000, ':'), 80));
    CHECK(Address::from_path("/run/x")->str() == "unix:/run/x");
    CHECK(Address::from_path(std::string(107, 'x')));
    CHECK_FALSE(Address::from_path(std::string(108, 'x')));
    CHECK(Address::from_path('@' + std::string(107, 'x')));
    CHECK_FALSE(Address::from_path('@' + std::string(108, 'x')));
    CHECK(*Address::from_path(std::string_view("\0name", 5)) == Address("unix:@name"));
    CHECK(Address::any_ipv4(5).str() == "0.0.0.0:5");
    CHECK(Address::loopback(6).str() == "127.0.0.1:6");
}

TEST_CASE("socket addresses of the kernel come in many lengths") {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    const auto with_length = [&](std::size_t length) {
        return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&local), static_cast<socklen_t>(length));
    };
    const std::size_t head = offsetof(sockaddr_un, sun_path);
    CHECK(with_length(head).str() == "unix:");  // an unnamed peer
    CHECK(with_length(head).host().empty());
    std::strcpy(local.sun_path, "/a");
    CHECK(with_length(head + 2) == with_length(head + 3));
    CHECK(with_length(head + 3) == with_length(sizeof local));
    CHECK(with_length(sizeof local) == Address("unix:/a"));
    std::memset(local.sun_path, 'p', sizeof local.sun_path);
    CHECK(with_length(sizeof local).host() == std::string(107, 'p'));
    std::memcpy(local.sun_path, "\0n\0m", 4);
    CHECK(with_length(head + 4).host() == std::string("@n\0m", 4));
    std::strcpy(local.sun_path, "@file");
    CHECK(with_length(head + 6).str() == "unix:./@file");
    CHECK(with_length(0).family() == Address::Family::none);
    CHECK(Address::from_sockaddr(nullptr, 0).family() == Address::Family::none);
    const Address four("1.2.3.4:5");
    CHECK(Address::from_sockaddr(four.data(), 4).family() == Address::Family::none);
    CHECK(Address::from_sockaddr(four.data(), four.size()) == four);
}

TEST_CASE("addresses that differ in one thing are not equal") {
    const std::vector<Address> all{Address(),          "1.2.3.4:5",        "1.2.3.4:6", "1.2.3.5:5",
                                   "[::1]:5",          "[::1%1]:5",        "[::2]:5",   "[::ffff:1.2.3.4]:5",
                                   "unix:/tmp/socket", "unix:/tmp/sockeu", "unix:@a",   "unix:@ab"};
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < all.size(); ++j) CHECK((all[i] == all[j]) == (i == j));
    }
    Address moved = all[1];
    moved.set_port(6);
    CHECK(moved == all[2]);
}

TEST_CASE("any address survives being printed and parsed") {
    std::mt19937_64 random(20240229);
    for (int round = 0; round < 20'000; ++round) {
        Address address;
        const auto port = static_cast<std::uint16_t>(random());
        switch (random() % 4) {
        case 0: {
            sockaddr_in four{};
            four.sin_family = AF_INET;
            four.sin_port = port;
            four.sin_addr.s_addr = static_cast<std::uint32_t>(random());
            address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&four), sizeof four);
            break;
        }
        case 1: {
            sockaddr_in6 six{};
            six.sin6_family = AF_INET6;
            six.sin6_port = port;
            // Runs of zeros, which print in the short form.
            for (auto& byte : six.sin6_addr.s6_addr) byte = random() % 3 ? 0 : static_cast<std::uint8_t>(random());
            six.sin6_scope_id = random() % 2 ? static_cast<std::uint32_t>(random()) : 0;
            address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&six), sizeof six);
            break;
        }
        case 2: {
            std::string path = "/" + std::string(random() % 107, 'a');
            for (char& byte : path) byte = byte == '/' ? byte : static_cast<char>(1 + random() % 255);
            address = *Address::from_path(path);
            break;
        }
        default: {
            std::string name(1 + random() % 107, 'a');
            for (char& byte : name) byte = static_cast<char>(random());
            address = *Address::from_path('@' + name);
        }
        }
        CAPTURE(address.str());
        std::string why;
        const std::optional<Address> again = Address::parse(address.str(), &why);
        REQUIRE_MESSAGE(again, why);
        REQUIRE(*again == address);
    }
}

TEST_CASE("no text breaks the parser") {
    std::mt19937 random(1);
    const std::string_view alphabet = "[]:.%@/0123456789abcdefunix \0";
    for (int round = 0; round < 50'000; ++round) {
        std::string text(random() % 20, ' ');
        for (char& byte : text) byte = alphabet[random() % alphabet.size()];
        if (random() % 8 == 0) text = "unix:" + text;
        std::string why;
        const std::optional<Address> address = Address::parse(text, &why);
        CHECK(address.has_value() == why.empty());
        if (address) CHECK(Address::parse(address->str()) == address);
    }
}

TEST_SUITE_END();
