// SPDX-License-Identifier: MIT
#include <lariat/io/buffer.hpp>

#include <lariat/io/buffer_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::io;

namespace {

BufferPoolPtr make_pool(std::size_t size, std::size_t limit) { return BufferPoolPtr(&BufferPool::create(size, limit)); }

}  // namespace

TEST_SUITE_BEGIN("io buffer");

TEST_CASE("a Buffer owns its bytes and moves without copying") {
    Buffer buffer = Buffer::copy_of("hello world");
    const std::byte* data = buffer.data();
    Buffer moved = std::move(buffer);
    CHECK(buffer.empty());
    CHECK_FALSE(buffer);
    CHECK(moved.data() == data);
    CHECK(moved.text() == "hello world");
    CHECK(moved.pinned_size() == 11);
    moved.reset();
    CHECK(moved.empty());
    CHECK(moved.pinned_size() == 0);
    CHECK_FALSE(Buffer::copy_of(""));
    CHECK_FALSE(Buffer());
}

TEST_CASE("slices share the memory until the last is gone") {
    Buffer slice;
    {
        Buffer whole = Buffer::copy_of("hello world");
        CHECK(whole.is_unique());
        slice = whole.slice(6, 5);
        CHECK_FALSE(whole.is_unique());
        CHECK(whole.slice(11, 0).empty());
        const Bytes part = whole.bytes().skip(3).first(2);
        CHECK(whole.contains(part));
        CHECK_FALSE(slice.contains(part));
        CHECK_FALSE(Buffer().contains(part));
        CHECK(whole.slice(part).text() == "lo");
    }
    CHECK(slice.is_unique());
    CHECK(slice.text() == "world");
    CHECK(slice.slice(1, 3).slice(1, 2).text() == "rl");
}

TEST_CASE("a Buffer can be cut at both ends and filled up behind its end") {
    Buffer buffer = Buffer::copy_of("0123456789");
    buffer.remove_prefix(2);
    buffer.truncate(3);
    CHECK(buffer.text() == "234");
    CHECK(buffer.room() == 5);
    {
        const Buffer other = buffer.slice(0, 1);
        CHECK(buffer.room() == 0);  // what lies behind may be the other's
    }
    buffer.append("abcde");
    CHECK(buffer.text() == "234abcde");
    CHECK(buffer.room() == 0);
}

TEST_CASE("a pool hands out the chunk that came back last") {
    const BufferPoolPtr pool = make_pool(128, 8);
    Chunk* first = pool->acquire();
    Chunk* second = pool->acquire();
    CHECK(pool->outstanding() == 2);
    { const Buffer one(*first, 0, 1), two(*second, 0, 1); }
    CHECK(pool->outstanding() == 0);
    const Buffer again(*pool->acquire(), 0, 128);
    CHECK(again.data() == first->data);  // destroyed after `two`
    CHECK(pool->chunk(first->id).data == first->data);
}

TEST_CASE("a pool has no more chunks than its limit, over several slabs, and all of them are apart") {
    const BufferPoolPtr pool = make_pool(64, 100);
    std::vector<Buffer> all;
    std::set<const std::byte*> places;
    std::set<std::uint32_t> ids;
    while (Chunk* chunk = pool->acquire()) {
        ids.insert(chunk->id);
        all.emplace_back(*chunk, 0, 64);
        places.insert(all.back().data());
    }
    CHECK(all.size() == 100);
    CHECK(ids.size() == 100);
    CHECK(*ids.rbegin() == 99);
    const std::byte* before = nullptr;
    for (const std::byte* place : places) {
        CHECK((!before || place - before >= 64));
        before = place;
    }
    all.pop_back();
    CHECK(pool->outstanding() == 99);
    all.emplace_back(*pool->acquire(), 0, 64);
    CHECK(pool->acquire() == nullptr);
}

TEST_CASE("Buffers outlive their pool") {
    Buffer kept, slice;
    {
        const BufferPoolPtr pool = make_pool(256, 4);
        kept = Buffer(*pool->acquire(), 0, 256);
        std::fill(kept.data(), kept.data() + 256, std::byte{'k'});
        slice = kept.slice(100, 10);
    }
    CHECK(kept.str() == std::string(256, 'k'));
    kept.reset();
    CHECK(slice.text() == "kkkkkkkkkk");
}

TEST_CASE("no order of slices and releases loses or doubles a chunk") {
    std::mt19937 random(3);
    const BufferPoolPtr pool = make_pool(64, 40);
    std::vector<std::pair<Buffer, char>> live;
    for (int step = 0; step < 20'000; ++step) {
        const std::size_t pick = live.empty() ? 0 : random() % live.size();
        switch (random() % 4) {
        case 0:
        case 1:
            if (Chunk* chunk = pool->acquire()) {
                const char mark = static_cast<char>('a' + random() % 26);
                live.emplace_back(Buffer(*chunk, 0, 64), mark);
                std::fill_n(live.back().first.data(), 64, static_cast<std::byte>(mark));
            }
            break;
        case 2:
            if (!live.empty() && live.size() < 200) {
                const std::size_t size = 1 + random() % live[pick].first.size();
                live.emplace_back(live[pick].first.slice(live[pick].first.size() - size, size), live[pick].second);
            }
            break;
        default:
            if (!live.empty()) {
                const auto& [buffer, mark] = live[pick];
                CHECK(buffer.text() == std::string(buffer.size(), mark));
                std::swap(live[pick], live.back());
                live.pop_back();
            }
        }
        REQUIRE(pool->outstanding() <= 40);
    }
    live.clear();
    CHECK(pool->outstanding() == 0);
}

TEST_SUITE_END();
