import Testing
import Traces

@testable import MeterProtocol

/// Runs a session against a `MeterModel` in virtual time and keeps everything that the session emits.
struct SessionRig {
    /// What may happen to one OUT frame.
    enum Fault: Equatable {
        case dropReply, delayReply(Int64), garbleReply, truncateReply, wrongID, repeatPrefix
        case failOut(BusFailure), failIn(BusFailure), unaskedBefore
        case unplug(returnsAfter: Int64, reboot: Bool)
    }

    var session: MeterSession
    var meter = MeterModel()
    var now: Int64 = 1_000_000_000
    /// Faults by number of the OUT frame, counted from 1.
    var faults: [Int: Fault] = [:]
    /// Applied to the next poll whose time has come.
    var pollFaults: [(at: Int64, fault: Fault)] = []
    var stale: [[UInt8]] = [[0x03, 0x05, 0, 0]]
    var openFailures: [BusFailure] = []
    /// The host sleeps through these spans: no timer is served.
    var hostStalls: [Range<Int64>] = []
    var absentUntil: Int64 = .min

    var blocks: [SampleBlock] = []
    var gaps: [Gap] = []
    var events: [RunEvent] = []
    var adcs: [ADCReading] = []
    var identities = 0
    var sent: [[UInt8]] = []
    var sendTimes: [Int64] = []
    var actions: [MeterSession.Action] = []
    var finished: [SessionFailure?] = []
    var openCount = 0
    var cancels = 0

    private var queue: [(at: Int64, order: Int, event: MeterSession.Event)] = []
    private var order = 0
    private var isReadPosted = false
    private var isOpen = false
    private var fifo: [[UInt8]] = []
    private var previousPoll: [QueueSample] = []

    init(profile: MeterProfile = .km003c, settings: MeterSession.Settings = .init()) {
        session = MeterSession(meter: "007965", profile: profile, settings: settings)
    }

    mutating func start() { push(now, .start(atNanoseconds: now)) }
    mutating func stop() { push(now, .stop(atNanoseconds: now)) }

    mutating func push(_ at: Int64, _ event: MeterSession.Event) {
        order += 1
        queue.append((at, order, event))
    }

    /// Runs until `time`, or until the session has finished.
    mutating func run(until time: Int64) {
        var turns = 0
        while now < time, finished.isEmpty {
            turns += 1
            #expect(turns < 2_000_000, "the session spins")
            if turns >= 2_000_000 { return }
            let nextEvent = queue.min { ($0.at, $0.order) < ($1.at, $1.order) }
            var timer = session.deadlineNanoseconds ?? .max
            for stall in hostStalls where stall.contains(timer) { timer = stall.upperBound }
            let idle = meter.isConnected && isOpen ? meter.lastCommandAt + meter.idleTimeout : .max
            let next = min(nextEvent?.at ?? .max, max(timer, now), idle, time)
            now = max(now, next)
            if now >= time { break }
            if next == idle, let frame = meter.idleFrame(at: now) {
                deliver(frame, at: now)
            } else if let nextEvent, nextEvent.at <= now {
                queue.removeAll { $0.order == nextEvent.order }
                apply(nextEvent.event)
            } else if timer <= now {
                apply(.timer(atNanoseconds: now))
            }
        }
    }

    mutating func run(seconds: Double) { run(until: now + Int64(seconds * 1e9)) }

    private mutating func apply(_ event: MeterSession.Event) {
        if case .channel(.received) = event { isReadPosted = false }
        for action in session.handle(event) { carryOut(action) }
    }

    private mutating func carryOut(_ action: MeterSession.Action) {
        actions.append(action)
        switch action {
        case .open:
            openCount += 1
            if now < absentUntil {
                push(now + 1_000_000, .openFailed(.noDevice, atNanoseconds: now + 1_000_000))
            } else if !openFailures.isEmpty {
                push(now + 1_000_000, .openFailed(openFailures.removeFirst(), atNanoseconds: now + 1_000_000))
            } else {
                isOpen = true
                fifo = stale
                push(now + 1_000_000, .opened(atNanoseconds: now + 1_000_000))
            }
        case .postRead(let length):
            #expect(isOpen && length % 64 == 0)
            #expect(!isReadPosted, "two reads posted")
            isReadPosted = true
            deliverFromFIFO(at: now + 50_000)
        case .send(let frame):
            #expect(isOpen)
            #expect(throws: Never.self) { try FrameGuard.check(frame) }
            sent.append(frame)
            sendTimes.append(now)
            transfer(frame)
        case .cancel:
            cancels += 1
            if isReadPosted {
                isReadPosted = false
                queue.removeAll { if case .channel = $0.event { true } else { false } }
                push(now + 200_000, .channel(.failed(.cancelled, atNanoseconds: now + 200_000)))
            }
        case .clearHalt: break
        case .close:
            isOpen = false
            isReadPosted = false
            fifo = []
            queue.removeAll { if case .channel = $0.event { true } else { false } }
        case .samples(let block): blocks.append(block)
        case .gap(let gap): gaps.append(gap)
        case .adc(let adc, _): adcs.append(adc)
        case .identity: identities += 1
        case .event(let event): events.append(event)
        case .finished(let failure): finished.append(failure)
        }
    }

    private mutating func transfer(_ frame: [UInt8]) {
        var fault = faults[sent.count]
        if frame[0] == 0x0C, frame[2] & 0x04 != 0, let first = pollFaults.first, now >= first.at {
            fault = first.fault
            pollFaults.removeFirst()
        }
        if case .failOut(let failure) = fault { return fail(failure) }
        if case .unplug(let after, let reboot) = fault {
            absentUntil = now + after
            if reboot { meter.reboot(at: now + after - 300_000_000) } else { meter.dropSession() }
            return fail(.noDevice)
        }
        push(now + 90_000, .channel(.sent(atNanoseconds: now + 90_000)))
        guard case .frames(var frames, var delay) = meter.answer(frame, at: now), fault != .dropReply else { return }
        switch fault {
        case .failIn(let failure): return fail(failure)
        case .delayReply(let more): delay += more
        case .garbleReply: frames[0] = frames[0].map { $0 ^ 0x55 }
        case .truncateReply: frames[0].removeLast(min(frames[0].count, 13))
        case .wrongID: frames[0][1] &+= 77
        case .unaskedBefore: frames.insert([0x03, 0x44, 0, 0], at: 0)
        case .repeatPrefix:
            if let data = try? PutData(decoding: frames[0]), let samples = try? data.queue() {
                let all = previousPoll.suffix(20) + samples
                frames[0] =
                    PutData(id: frames[0][1], authLevel: meter.level, contents: [.adcQueue(Array(all))]).bytes
            }
        default: break
        }
        if let data = try? PutData(decoding: frames[0]), let samples = try? data.queue(), !samples.isEmpty {
            previousPoll = samples
        }
        for (k, bytes) in frames.enumerated() {
            deliver(bytes, at: now + delay + (k > 0 ? 13_000_000 + Int64(k) * 50_000 : 0))
        }
    }

    private mutating func fail(_ failure: BusFailure) {
        if failure == .noDevice { isReadPosted = false }
        push(now + 90_000, .channel(.failed(failure, atNanoseconds: now + 90_000)))
    }

    /// Bytes reach the host's controller: they complete the posted read, or wait for the next one.
    private mutating func deliver(_ bytes: [UInt8], at: Int64) {
        let ahead = queue.filter { if case .channel(.received) = $0.event { true } else { false } }
        if isReadPosted, ahead.isEmpty {
            push(at, .channel(.received(bytes, atNanoseconds: at)))
        } else {
            fifo.append(bytes)
        }
    }

    private mutating func deliverFromFIFO(at: Int64) {
        guard isReadPosted, !fifo.isEmpty else { return }
        push(at, .channel(.received(fifo.removeFirst(), atNanoseconds: at)))
    }

    // MARK: Judgements

    var samples: [Sample] { blocks.flatMap(\.samples) }

    /// Every promise of the account, against what was emitted.
    func expectBalanced(sourceLocation: SourceLocation = #_sourceLocation) {
        let account = session.account
        #expect(account.isBalanced(stepMilliseconds: session.ledger.stepMilliseconds), sourceLocation: sourceLocation)
        #expect(account.received == samples.count, sourceLocation: sourceLocation)
        #expect(account.missing == gaps.reduce(0) { $0 + ($1.missing ?? 0) }, sourceLocation: sourceLocation)
        #expect(account.gaps == gaps.count, sourceLocation: sourceLocation)
        for block in blocks {
            #expect(!block.samples.isEmpty, sourceLocation: sourceLocation)
            for (a, b) in zip(block.samples, block.samples.dropFirst()) {
                #expect(a.uptimeMilliseconds < b.uptimeMilliseconds, sourceLocation: sourceLocation)
            }
        }
        for epoch in Set(blocks.map(\.epoch)) {
            let all = blocks.filter { $0.epoch == epoch }.flatMap(\.samples).map(\.uptimeMilliseconds)
            #expect(all == all.sorted() && Set(all).count == all.count, sourceLocation: sourceLocation)
        }
    }

    func count(_ kind: String) -> Int { events.count { $0.kind == kind } }
    func commands(_ type: FrameType) -> Int { sent.count { $0[0] == type.rawValue } }
}
