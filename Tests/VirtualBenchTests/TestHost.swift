import MeterProtocol
import Testing

@testable import VirtualBench

/// A plain host on a virtual bus: sends one request, waits for one reply. Not the driver; an independent second opinion.
final class TestHost {
    let bus: VirtualMeterBus
    private(set) var channel: (any MeterChannel)?
    var inbox: [ChannelEvent] = []
    var nextID: UInt8 = 1

    init(bus: VirtualMeterBus) { self.bus = bus }

    func open(serial: String) throws {
        let meter = try #require(try bus.discover().first { $0.serial == serial })
        channel = try bus.open(meter) { [self] in inbox.append($0) }
    }

    func close() {
        channel?.close()
        channel = nil
    }

    /// The next event that is not a mere "sent", within so many ms.
    func next(within milliseconds: Int64 = 250) -> ChannelEvent? {
        let limit = bus.nowNanoseconds + milliseconds * 1_000_000
        while true {
            while !inbox.isEmpty {
                let event = inbox.removeFirst()
                if case .sent = event { continue }
                return event
            }
            if bus.nowNanoseconds >= limit { return nil }
            bus.wait(until: limit)
        }
    }

    func read(within milliseconds: Int64 = 250) -> [UInt8]? {
        channel?.postRead(readLength: 4096)
        if case .received(let bytes, _) = next(within: milliseconds) { return bytes }
        channel?.cancel()
        _ = next(within: 1)
        return nil
    }

    func exchange(_ command: HostCommand, within milliseconds: Int64 = 250) -> [UInt8]? {
        raw(HostRequest(id: id(), command).bytes, within: milliseconds)
    }

    func raw(_ frame: [UInt8], within milliseconds: Int64 = 250) -> [UInt8]? {
        channel?.postRead(readLength: 4096)
        channel?.send(frame)
        if case .received(let bytes, _) = next(within: milliseconds) { return bytes }
        channel?.cancel()
        _ = next(within: 1)
        return nil
    }

    func id() -> UInt8 {
        defer { nextID &+= 1 }
        return nextID
    }

    func reply(_ command: HostCommand) throws -> MeterReply {
        try MeterReply(decoding: try #require(exchange(command)))
    }

    /// Drain, CONNECT, hardware id, auth.
    func openSession() throws {
        while read(within: 20) != nil {}
        #expect(try reply(.connect) == .accept(id: nextID &- 1))
        let range = MemoryRange(address: MemoryMap.hardwareID, size: 12)
        guard case .memoryConfirmation(_, range) = try reply(.memoryRead(range)) else {
            Issue.record("no confirmation")
            return
        }
        let credential = try range.decrypt(try #require(read()))
        let auth = AuthRequest(unixMilliseconds: 1, credential: credential, nonce: [UInt8](repeating: 7, count: 12))
        guard case .auth(let granted) = try reply(.streamingAuth(auth)) else {
            Issue.record("no auth reply")
            return
        }
        #expect(granted.level == 1)
        #expect(granted.echo == auth)
    }

    func samples() throws -> [QueueSample] {
        guard case .data(let data) = try reply(.getData(.adcQueue)) else {
            Issue.record("no data")
            return []
        }
        return try data.queue()
    }

    func pass(milliseconds: Int64) {
        let until = bus.nowNanoseconds + milliseconds * 1_000_000
        while bus.nowNanoseconds < until { bus.wait(until: until) }
    }
}

func idealBench(_ boards: Int = 1, seed: UInt64 = 1, change: (inout BenchDescription) -> Void = { _ in })
    -> VirtualBench
{
    var description = BenchDescription(boards: boards, seed: seed, clock: .virtual)
    description.isIdeal = true
    change(&description)
    return VirtualBench(description)
}
