package import MeterProtocol

/// The virtual bench's meters as a bus in process: what libusb is to real meters.
///
/// Threading as `MeterBus` has it: everything but `wake` on one thread; sinks are called from inside `wait`, never from
/// another call, so a sink may open, send or close. `wait` returns as soon as it has delivered something. With the
/// virtual clock `wait` is what makes time pass.
package final class VirtualMeterBus: MeterBus {
    private let world: VirtualWorld
    private let pipe = WakePipe()
    private var channels: [UInt64: VirtualChannel] = [:]
    private var nextChannel: UInt64 = 1
    /// Longest sleep without a look at the bench: other threads may have changed what comes next.
    private static let longestSleep: Int64 = 20_000_000

    package init(world: VirtualWorld) {
        self.world = world
        world.addWaker(pipe)
    }

    package var nowNanoseconds: Int64 { world.nowNanoseconds }

    package var topologyGeneration: Int { world.present { $0.topology } }

    package func discover() throws(BusFailure) -> [FoundMeter] {
        world.present { state in
            state.meters.indices.filter { state.ports[$0].isPlugged }.map { m in
                let truth = state.meters[m].truth
                var access = FoundMeter.Access.present
                if let blocked = state.ports[m].blockedOpen, blocked.until > state.now {
                    if case .busy(let holder) = blocked.failure {
                        access = .busy(holder: holder)
                    } else {
                        access = .forbidden
                    }
                }
                return FoundMeter(
                    serial: truth.serial, portPath: Self.portPath(m), vendorID: 0x5FC9,
                    productID: truth.model.productID, product: truth.model.productString, access: access,
                    isVirtual: true)
            }
        }
    }

    /// Port path of meter `index`, as a hub of four would give it.
    package static func portPath(_ index: Int) -> String { "9-\(index / 4 + 1).\(index % 4 + 1)" }

    package func open(_ meter: FoundMeter, sink: @escaping (ChannelEvent) -> Void) throws(BusFailure)
        -> any MeterChannel
    {
        let index: Int = try world.presently { (state: inout WorldState) throws(BusFailure) -> Int in
            guard let m = state.meters.indices.first(where: { Self.portPath($0) == meter.portPath }) else {
                throw .notFound
            }
            try state.open(meter: m)
            return m
        }
        guard !channels.values.contains(where: { $0.meter == index && !$0.isClosed }) else {
            throw .busy(holder: "this program")
        }
        let channel = VirtualChannel(world: world, meter: index, number: nextChannel, sink: sink)
        channels[nextChannel] = channel
        nextChannel += 1
        return channel
    }

    package func wait(until deadline: Int64) {
        while true {
            var events: [(channel: VirtualChannel, event: ChannelEvent)] = []
            for channel in channels.values where channel.isClosed { channels[channel.number] = nil }
            for channel in channels.values where !channel.cancelled.isEmpty {
                for time in channel.cancelled { events.append((channel, .failed(.cancelled, atNanoseconds: time))) }
                channel.cancelled = []
            }
            if events.isEmpty, world.mode == .virtual { world.run(until: deadline, stoppingAtCompletion: true) }
            let (due, now, next) = world.present { state in
                let due = state.ports.indices.flatMap { m in
                    state.ports[m].takeCompletions(upTo: state.now).map { (m, $0) }
                }
                return (due, state.now, state.nextEvent(includingCompletions: true))
            }
            for (_, completion) in due.sorted(by: { $0.1.atNanoseconds < $1.1.atNanoseconds }) {
                guard let channel = channels[completion.token >> 1] else { continue }
                // On the real clock a completion is stamped when it is seen, as libusb's callbacks do.
                let stamp = world.mode == .real ? max(now, completion.atNanoseconds) : completion.atNanoseconds
                let event: ChannelEvent =
                    switch completion.outcome {
                    case .sent: .sent(atNanoseconds: stamp)
                    case .received(let bytes): .received(bytes, atNanoseconds: stamp)
                    case .failed(let failure): .failed(failure, atNanoseconds: stamp)
                    }
                events.append((channel, event))
            }
            if !events.isEmpty {
                for (channel, event) in events where !channel.isClosed { channel.sink(event) }
                return
            }
            if now >= deadline { return }
            if world.mode == .virtual {
                if pipe.drain() { return }
                continue
            }
            if pipe.sleep(nanoseconds: min(deadline, next, now + Self.longestSleep) - now) { return }
        }
    }

    package func wake() { pipe.wake() }
}

/// The vendor interface of one emulated meter, opened. Lives on the bus thread.
final class VirtualChannel: MeterChannel {
    let meter: Int
    let number: UInt64
    let sink: (ChannelEvent) -> Void
    /// Times of cancelled reads that their owner has not been told of.
    var cancelled: [Int64] = []
    private(set) var isClosed = false
    private let world: VirtualWorld

    init(world: VirtualWorld, meter: Int, number: UInt64, sink: @escaping (ChannelEvent) -> Void) {
        self.world = world
        self.meter = meter
        self.number = number
        self.sink = sink
    }

    private var readToken: UInt64 { number << 1 }
    private var sendToken: UInt64 { number << 1 | 1 }

    func postRead(readLength: Int) {
        guard !isClosed else { return }
        world.present { $0.ports[meter].submitIn(length: readLength, token: readToken, at: $0.now) }
    }

    func send(_ frame: [UInt8]) {
        guard !isClosed else { return }
        world.present { $0.submitOut(frame, meter: meter, token: sendToken) }
    }

    func cancel() {
        guard !isClosed else { return }
        let (count, now) = world.present { ($0.ports[meter].cancelReads().count, $0.now) }
        cancelled += [Int64](repeating: now, count: count)
    }

    func clearHalt() { world.present { $0.ports[meter].clearHalt() } }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        world.present { $0.ports[meter].forgetHost() }
    }
}
