import Traces

@testable import MeterProtocol

/// A meter for session tests: the rules of firmware-notes/meters.md on a virtual clock, with faults that can be switched.
/// (The product's emulator has its own implementation; two readings of the same rules check each other.)
struct MeterModel {
    enum Answer: Equatable {
        case frames([[UInt8]], delay: Int64)
        case silence
    }

    var hardwareID: [UInt8] = Array("071KBP".utf8) + [0x0D, 0xFF, 0x11, 0x0A, 0xFF, 0xFF]
    var level: UInt8 = 0
    var isConnected = false
    var graphRate: UInt16?
    /// Host time at which the uptime was 0, ns.
    var bootedAt: Int64 = -10_000_000_000
    var uptimeOffset: UInt32 = 0
    var ring: [QueueSample] = []
    var produced: Int64 = 0
    var graphStartedAt: Int64 = 0
    var lastCommandAt: Int64 = 0
    var ownCounter: UInt8 = 9
    var received: [ReceivedRequest] = []
    var sentSamples: [UInt32] = []

    // Faults.
    var rejectsStart = 0
    var refusesAuthLevels = 0
    var answersErrorToConnect = 0
    var grantsWithoutEncryptedFlag = false
    var needsAuth = true
    var notReadable: Set<UInt32> = []
    var idleTimeout: Int64 = 5_000_000_000

    func uptime(at now: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: (now - bootedAt) / 1_000_000) &+ uptimeOffset
    }

    mutating func reboot(at now: Int64) {
        bootedAt = now
        uptimeOffset = 0
        dropSession()
        isConnected = false
    }

    mutating func dropSession() {
        level = 0
        graphRate = nil
        ring = []
    }

    /// Fills the ring up to `now`.
    mutating func advance(to now: Int64) {
        guard let rate = graphRate else { return }
        let step: Int64 = [500, 100, 20, 1][Int(rate)]
        let due = (now - graphStartedAt) / (step * 1_000_000)
        while produced < due {
            produced += 1
            let at = graphStartedAt + produced * step * 1_000_000
            ring.append(
                QueueSample(
                    uptimeMilliseconds: uptime(at: at), vbusMicrovolts: 5_080_000 + Int32(produced % 100),
                    ibusMicroamperes: -1_000 - Int32(produced % 7)))
            if ring.count > QueueSample.ringDepth { ring.removeFirst() }
        }
    }

    /// Unasked frame when the host has been silent too long.
    mutating func idleFrame(at now: Int64) -> [UInt8]? {
        guard isConnected, now - lastCommandAt >= idleTimeout else { return nil }
        isConnected = false
        dropSession()
        ownCounter &+= 1
        return MeterReply.disconnect(id: ownCounter).bytes
    }

    mutating func answer(_ frame: [UInt8], at now: Int64) -> Answer {
        guard let request = try? ReceivedRequest(decoding: frame), case .known(let known) = request else {
            return .silence
        }
        received.append(request)
        lastCommandAt = now
        advance(to: now)
        let id = known.id
        func one(_ reply: MeterReply) -> Answer {
            let bytes = reply.bytes
            return .frames([bytes], delay: 100_000 + 1_100 * Int64(bytes.count))
        }
        switch known.command {
        case .connect:
            if answersErrorToConnect > 0 {
                answersErrorToConnect -= 1
                return one(.error(id: id))
            }
            isConnected = true
            dropSession()
            return one(.accept(id: id))
        case .disconnect:
            isConnected = false
            dropSession()
            return one(.accept(id: id))
        case .stopGraph:
            guard level >= 1 || !needsAuth else { return one(.reject(id: id)) }
            graphRate = nil
            return one(.accept(id: id))
        case .startGraph(let rate):
            guard level >= 1 || !needsAuth, graphRate == nil else { return one(.reject(id: id)) }
            if rejectsStart > 0 {
                rejectsStart -= 1
                return one(.reject(id: id))
            }
            graphRate = rate
            ring = []
            produced = 0
            graphStartedAt = now
            return one(.accept(id: id))
        case .getData(let mask):
            var contents: [PutData.Content] = []
            if mask.contains(.adc) {
                contents.append(
                    .adc(
                        ADCReading(
                            vbusMicrovolts: 5_080_000, ibusMicroamperes: -1_000, vbusAverageMicrovolts: 5_080_000,
                            ibusAverageMicroamperes: -1_000, vbusUncalibratedAverage: 0, ibusUncalibratedAverage: 0,
                            temperatureRaw: graphRate == 3 ? ADCReading.noTemperature : 3200)))
            }
            if mask.contains(.adcQueue) {
                guard level >= 1 || !needsAuth else { return one(.reject(id: id)) }
                contents.append(.adcQueue(ring))
                sentSamples += ring.map(\.uptimeMilliseconds)
                ring = []
            }
            return one(.data(PutData(id: id, authLevel: level, contents: contents)))
        case .memoryRead(let range):
            guard !notReadable.contains(range.address) else { return one(.memoryNotReadable(id: id)) }
            var memory = [UInt8](repeating: 0, count: Int(range.size))
            switch range.address {
            case MemoryMap.hardwareInfo:
                memory = IdentityText(model: "KM003C", version: "2.1", date: "2022.11.7").bytes
            case MemoryMap.firmwareInfo:
                memory = IdentityText(model: "KM003C", version: "1.9.5", date: "2025.1.7").bytes
            case MemoryMap.hardwareID: memory = hardwareID
            case MemoryMap.serialText: memory = Array("007965 4CDDDF28".utf8) + [UInt8](repeating: 0, count: 49)
            default: break
            }
            let confirmation = MeterReply.memoryConfirmation(id: id, range).bytes
            // Whole blocks of 64 bytes are followed by a zero-length packet.
            let raw = range.rawBlocks(of: memory).flatMap { $0.count.isMultiple(of: 64) ? [$0, []] : [$0] }
            return .frames([confirmation] + raw, delay: 200_000)
        case .streamingAuth(let auth):
            let isRight = refusesAuthLevels == 0
            if !isRight { refusesAuthLevels -= 1 }
            level = isRight ? 1 : 0
            return one(
                .auth(AuthReply(level: level, isEncrypted: !grantsWithoutEncryptedFlag, echo: auth)))
        }
    }
}
