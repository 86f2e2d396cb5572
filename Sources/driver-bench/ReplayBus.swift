import CLibUSB
import MeterProtocol

/// Meters that answer at once with ready-made samples: the cheapest bus there can be, so that what is measured on top of it
/// is the driver's own cost (plus one system call a turn). Its meters call themselves KM001C, which needs no
/// authentication.
final class ReplayBus: MeterBus {
    final class Channel: MeterChannel {
        let bus: ReplayBus
        let sink: (ChannelEvent) -> Void
        private var startedAt: Int64 = 0
        private var last: Int64 = 0
        private var reply: [UInt8]?
        private var isReadPosted = false

        init(bus: ReplayBus, sink: @escaping (ChannelEvent) -> Void) {
            self.bus = bus
            self.sink = sink
        }

        func postRead(readLength: Int) {
            isReadPosted = true
            complete()
        }

        func send(_ frame: [UInt8]) {
            bus.events.append((self, .sent(atNanoseconds: bus.nowNanoseconds)))
            let id = frame[1]
            switch frame[0] {
            case 0x0e:
                startedAt = bus.nowNanoseconds
                last = 0
                reply = [5, id, 0, 0]
            case 0x0c where frame[2] & 4 != 0: reply = samples(id)
            case 0x0c: reply = [0x41, id, 2, 0]
            default: reply = [5, id, 0, 0]
            }
            complete()
        }

        private func complete() {
            guard isReadPosted, let reply else { return }
            isReadPosted = false
            self.reply = nil
            bus.events.append((self, .received(reply, atNanoseconds: bus.nowNanoseconds)))
        }

        private func samples(_ id: UInt8) -> [UInt8] {
            let newest = (bus.nowNanoseconds - startedAt) / 1_000_000
            let count = min(63, newest - last)
            guard count > 0 else { return [0x41, id, 2, 0] }
            var frame: [UInt8] = [0x41, id, 2, 0]
            frame.reserveCapacity(8 + 20 * Int(count))
            let header = UInt32(2) | UInt32(count) << 16 | UInt32(20) << 22
            withUnsafeBytes(of: header.littleEndian) { frame.append(contentsOf: $0) }
            for uptime in (newest - count + 1)...newest {
                QueueSample(
                    uptimeMilliseconds: UInt32(uptime + 1), vbusMicrovolts: 5_082_025, ibusMicroamperes: 612_345
                ).append(to: &frame)
            }
            last = newest
            return frame
        }

        func cancel() {
            if isReadPosted { bus.events.append((self, .failed(.cancelled, atNanoseconds: bus.nowNanoseconds))) }
            isReadPosted = false
        }
        func clearHalt() {}
        func close() {}
    }

    let count: Int
    var events: [(Channel, ChannelEvent)] = []

    init(count: Int) { self.count = count }

    var nowNanoseconds: Int64 { wb_monotonic_ns() }
    var topologyGeneration: Int { 0 }

    func discover() throws(BusFailure) -> [FoundMeter] {
        (0..<count).map { index in
            FoundMeter(
                serial: "BENCH\(index)", portPath: "1-\(index + 1)", vendorID: 0x5fc9, productID: 0xffff,
                product: "POWER-Z KM001C", access: .present, isVirtual: true)
        }
    }

    func open(_ meter: FoundMeter, sink: @escaping (ChannelEvent) -> Void) throws(BusFailure) -> any MeterChannel {
        Channel(bus: self, sink: sink)
    }

    func wait(until deadline: Int64) {
        if events.isEmpty { wb_sleep_until_ns(min(deadline, nowNanoseconds + 50_000_000)) }
        let due = events
        events = []
        for (channel, event) in due { channel.sink(event) }
    }

    func wake() {}
}
