package import MeterProtocol

/// What a transfer came to.
package enum TransferOutcome: Sendable, Equatable {
    case sent(Int)
    case received([UInt8])
    case failed(BusFailure)
}

/// A transfer that is over; `token` is the submitter's.
package struct Completion: Sendable, Equatable {
    package var token: UInt64
    package var outcome: TransferOutcome
    package var atNanoseconds: Int64
}

/// The USB side of an emulated meter: endpoint FIFO of 64-byte packets, pending reads, halts, cable.
///
/// Carries whole frames to the meter and packets back. Time is given in, nothing waits here.
package struct USBPort: Sendable {
    static let packetSize = 64
    /// The OUT transfer of a 4-byte frame completes about 90 µs after it was submitted (captures).
    static let sendNanoseconds: Int64 = 90_000

    private struct Packet: Sendable {
        var bytes: ArraySlice<UInt8>
        var readyAt: Int64
    }

    private struct PendingRead: Sendable {
        var token: UInt64
        var length: Int
        var bytes: [UInt8] = []
    }

    package private(set) var isPlugged = true
    /// Counts plug-ins: gives the bus address.
    package private(set) var generation = 1
    package var replugAt: Int64?
    package var blockedOpen: (failure: BusFailure, until: Int64)?
    var frozenUntil: Int64?
    private var isHalted = false
    private var fifo: [Packet] = []
    private var reads: [PendingRead] = []
    private var deferred: [(token: UInt64, frame: [UInt8])] = []
    private(set) var completions: [Completion] = []
    private var lastReady: Int64 = 0

    package init(staleFrame: [UInt8]?) {
        if let staleFrame { fifo = [Packet(bytes: staleFrame[...], readyAt: 0)] }
    }

    /// Earliest moment at which something happens here; nil if nothing is under way. Transfers already over do not count.
    package var nextEvent: Int64? {
        var next: Int64?
        if !reads.isEmpty, !isHalted, let packet = fifo.first {
            let ready = max(packet.readyAt, frozenUntil ?? 0)
            next = min(next ?? ready, ready)
        }
        if let replugAt { next = min(next ?? replugAt, replugAt) }
        if let frozenUntil { next = min(next ?? frozenUntil, frozenUntil) }
        return next
    }

    /// An OUT transfer. Returns the frame if the meter gets it now.
    mutating func submitOut(_ frame: [UInt8], token: UInt64, at now: Int64) -> [UInt8]? {
        guard isPlugged else {
            complete(token, .failed(.noDevice), at: now)
            return nil
        }
        if frozenUntil != nil {
            deferred.append((token, frame))
            return nil
        }
        complete(token, .sent(frame.count), at: now + Self.sendNanoseconds)
        return frame
    }

    mutating func submitIn(length: Int, token: UInt64, at now: Int64) {
        guard isPlugged else { return complete(token, .failed(.noDevice), at: now) }
        guard !isHalted else { return complete(token, .failed(.stall), at: now + Self.sendNanoseconds) }
        reads.append(PendingRead(token: token, length: length))
        pump(at: now)
    }

    /// Cancels one read, or all. Returns the tokens that were still waiting; no completion follows for them.
    mutating func cancelReads(token: UInt64? = nil) -> [UInt64] {
        let gone = reads.filter { token == nil || $0.token == token }.map(\.token)
        reads.removeAll { token == nil || $0.token == token }
        return gone
    }

    /// A frame of the meter enters the FIFO, cut into packets, with a zero-length packet after multiples of 64.
    mutating func queue(_ frame: [UInt8], readyAt: Int64) {
        lastReady = max(lastReady, readyAt)
        var start = 0
        while start < frame.count {
            let end = min(start + Self.packetSize, frame.count)
            fifo.append(Packet(bytes: frame[start..<end], readyAt: lastReady))
            start = end
        }
        if frame.count.isMultiple(of: Self.packetSize) { fifo.append(Packet(bytes: [], readyAt: lastReady)) }
    }

    /// Moves what is ready into the waiting reads. Returns deferred frames that reach the meter now.
    mutating func advance(to now: Int64) -> [[UInt8]] {
        var arrived: [[UInt8]] = []
        if let end = frozenUntil, end <= now {
            frozenUntil = nil
            for (token, frame) in deferred {
                complete(token, .sent(frame.count), at: now + Self.sendNanoseconds)
                arrived.append(frame)
            }
            deferred = []
        }
        pump(at: now)
        return arrived
    }

    private mutating func pump(at now: Int64) {
        guard frozenUntil == nil, !isHalted else { return }
        while !reads.isEmpty, let packet = fifo.first, packet.readyAt <= now {
            fifo.removeFirst()
            let room = reads[0].length - reads[0].bytes.count
            guard packet.bytes.count <= room else {
                complete(reads.removeFirst().token, .failed(.overflow), at: now)
                continue
            }
            reads[0].bytes += packet.bytes
            if packet.bytes.count < Self.packetSize || reads[0].bytes.count == reads[0].length {
                let read = reads.removeFirst()
                complete(read.token, .received(read.bytes), at: now)
            }
        }
    }

    /// Completions due at `now`, oldest first.
    mutating func takeCompletions(upTo now: Int64) -> [Completion] {
        guard let first = completions.first, first.atNanoseconds <= now else { return [] }
        let due = completions.prefix { $0.atNanoseconds <= now }
        completions.removeFirst(due.count)
        return Array(due)
    }

    private mutating func complete(_ token: UInt64, _ outcome: TransferOutcome, at time: Int64) {
        let completion = Completion(token: token, outcome: outcome, atNanoseconds: time)
        let place = completions.lastIndex { $0.atNanoseconds <= time }.map { $0 + 1 } ?? 0
        completions.insert(completion, at: place)
    }

    // MARK: troubles

    mutating func failReads(_ failure: BusFailure, at now: Int64, losingData: Bool) {
        if losingData { fifo = [] }
        for read in reads { complete(read.token, .failed(failure), at: now) }
        reads = []
    }

    mutating func halt(at now: Int64) {
        isHalted = true
        failReads(.stall, at: now, losingData: true)
    }

    mutating func clearHalt() { isHalted = false }

    mutating func unplug(at now: Int64, replugAt: Int64?) {
        isPlugged = false
        self.replugAt = replugAt
        failReads(.noDevice, at: now, losingData: true)
        for (token, _) in deferred { complete(token, .failed(.noDevice), at: now) }
        deferred = []
        frozenUntil = nil
        isHalted = false
    }

    mutating func plug() {
        isPlugged = true
        replugAt = nil
        generation += 1
    }

    /// The host gave the interface back: what was asked for is forgotten, what the meter sent stays in the FIFO.
    mutating func forgetHost() {
        reads = []
        completions = []
        deferred = []
    }
}
