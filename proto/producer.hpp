// SPDX-License-Identifier: MIT
// Producers and consumers (Twisted: IPushProducer, IPullProducer, IConsumer): the callback form of back-pressure. A
// consumer, such as a Transport, tells the producer registered with it when to pause and when to go on.
//
// Lifetime: a producer owned by a shared_ptr is held while registered; any other must live until it is unregistered or
// was told stop_producing(). Threads: the reactor's.
#pragma once

#include <lariat/io/base/bytes.hpp>
#include <lariat/io/buffer.hpp>

#include <memory>

namespace lariat {

/// What both kinds have in common; implement PushProducer or PullProducer.
class Producer : public std::enable_shared_from_this<Producer> {
public:
    Producer() noexcept = default;
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    virtual ~Producer() = default;

    /// Push: go on after pause_producing(). Pull: write once.
    virtual void resume_producing() = 0;
    /// The consumer is gone; nobody will take what is produced.
    virtual void stop_producing() = 0;
};

/// Writes whenever it has something, until told to pause.
class PushProducer : public Producer {
public:
    /// Called from within the write() that made too much of it; may be called again while paused.
    virtual void pause_producing() = 0;
};

/// Writes once for each resume_producing(), which comes at registration and each time the consumer is empty.
class PullProducer : public Producer {};

class Consumer {
public:
    virtual void write(Bytes data) = 0;
    /// Errors: UsageError when one is registered already.
    virtual void register_producer(PushProducer& producer) = 0;
    virtual void register_producer(PullProducer& producer) = 0;
    /// Nothing happens when none is registered.
    virtual void unregister_producer() = 0;

protected:
    ~Consumer() = default;
};

}  // namespace lariat
