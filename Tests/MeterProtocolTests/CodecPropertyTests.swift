import Testing
import Traces

@testable import MeterProtocol

/// Invariants over seeded random values: what is written is read back; what is cut is refused; nothing crashes.
@Suite struct CodecPropertyTests {
    static func adc(_ g: inout SeededGenerator, full: Bool) -> ADCReading {
        func i32() -> Int32 { .random(in: .min ... .max, using: &g) }
        func u16() -> UInt16 { .random(in: 0 ... .max, using: &g) }
        return ADCReading(
            vbusMicrovolts: i32(), ibusMicroamperes: i32(), vbusAverageMicrovolts: i32(),
            ibusAverageMicroamperes: i32(), vbusUncalibratedAverage: i32(), ibusUncalibratedAverage: i32(),
            temperatureRaw: .random(in: .min ... .max, using: &g), cc1: u16(), cc2: u16(), dPlus: u16(),
            dMinus: u16(), vdd: u16(), rateByte: .random(in: 0...3, using: &g), flags: 0x80,
            cc2AverageMillivolts: u16(), dPlusAverageMillivolts: full ? u16() : nil,
            dMinusAverageMillivolts: full ? u16() : nil)
    }

    static func samples(_ g: inout SeededGenerator, _ count: Int) -> [QueueSample] {
        let start = UInt32.random(in: 0 ... .max, using: &g)
        return (0..<count).map { k in
            QueueSample(
                uptimeMilliseconds: start &+ UInt32(k), vbusMicrovolts: .random(in: .min ... .max, using: &g),
                ibusMicroamperes: .random(in: .min ... .max, using: &g), cc1: .random(in: 0 ... .max, using: &g),
                cc2: .random(in: 0 ... .max, using: &g), dPlus: 3, dMinus: 4)
        }
    }

    static func pd(_ g: inout SeededGenerator) -> PDPayload {
        let events = (0..<Int.random(in: 0...8, using: &g)).map { _ -> PDEvent in
            if Bool.random(using: &g) {
                return .plug(connected: Bool.random(using: &g), at: .random(in: 0 ... .max, using: &g))
            }
            let length = 2 + 4 * Int.random(in: 0...7, using: &g)
            return .message(
                at: .random(in: 0 ... .max, using: &g), sop: .random(in: 0...2, using: &g),
                wire: (0..<length).map { _ in .random(in: 0 ... .max, using: &g) })
        }
        return PDPayload(
            uptimeMilliseconds: .random(in: 0 ... .max, using: &g), vbusMillivolts: 5000, ibusMilliamperes: -7,
            cc1Millivolts: 1, cc2Millivolts: 2, events: events)
    }

    /// A reply with a random choice of payloads in ascending order.
    static func reply(_ g: inout SeededGenerator) -> PutData {
        var contents: [PutData.Content] = []
        if Bool.random(using: &g) { contents.append(.adc(adc(&g, full: Bool.random(using: &g)))) }
        if Bool.random(using: &g) { contents.append(.adcQueue(samples(&g, Int.random(in: 0...63, using: &g)))) }
        if Bool.random(using: &g) { contents.append(.settings(MeterSettings())) }
        if Bool.random(using: &g) { contents.append(.pd(pd(&g))) }
        if Bool.random(using: &g) {
            contents.append(
                .logCatalogue(
                    (0..<Int.random(in: 0...5, using: &g)).map { k in
                        LogEntry(
                            name: "A0\(k).d", sampleCount: 7, intervalMilliseconds: 1000, durationSeconds: 7,
                            chargeMicroampereHours: -1, energyMicrowattHours: 2, dataOffset: UInt32(k) * 112)
                    }))
        }
        return PutData(
            id: .random(in: 0 ... .max, using: &g), authLevel: .random(in: 0...3, using: &g),
            isEncrypted: Bool.random(using: &g), contents: contents)
    }

    @Test func repliesWithSeveralPayloadsAreReadBackAsWritten() throws {
        var g = SeededGenerator(seed: 1)
        for _ in 0..<400 {
            let made = Self.reply(&g)
            let read = try PutData(decoding: made.bytes)
            #expect(read.payloads == made.payloads)
            #expect(read.header == made.header)
            #expect(read.trailing == 0)
            #expect(read.bytes == made.bytes)
            if let payload = read.payload(of: .pdPacket) {
                #expect(try PDPayload(decoding: payload.bytes).bytes == Array(payload.bytes))
            }
            if let adc = try read.adc() { #expect(adc.bytes == Array(read.payload(of: .adc)?.bytes ?? [])) }
            #expect(try QueuePayload.encode(read.queue()) == Array(read.payload(of: .adcQueue)?.bytes ?? []))
        }
    }

    @Test func everyCutOfAReplyIsRefusedOrAWholePrefix() throws {
        var g = SeededGenerator(seed: 2)
        for _ in 0..<20 {
            let made = Self.reply(&g)
            let bytes = made.bytes
            for length in 0..<bytes.count {
                guard let read = try? PutData(decoding: Array(bytes[..<length])) else { continue }
                // Only the bare header is a whole reply: it says "nothing to give".
                #expect(length == DataHeader.size && read.payloads.isEmpty)
            }
        }
    }

    @Test func unknownAttributesAreSteppedOver() throws {
        var g = SeededGenerator(seed: 3)
        let reading = Self.adc(&g, full: true)
        var frame = DataHeader(type: .putData, id: 9, authLevel: 1).bytes
        frame.append(little: ExtendedHeader(attribute: 0x40, hasNext: true, sizeField: 6).word)
        frame += [1, 2, 3, 4, 5, 6]
        frame.append(little: ExtendedHeader(attribute: 1, hasNext: false, sizeField: 44).word)
        frame += reading.bytes
        let read = try PutData(decoding: frame)
        #expect(try read.adc() == reading)
        #expect(read.payloads.first?.header.attribute == 0x40)
    }

    @Test func longerAdcPayloadsOfLaterFirmwareAreReadAsFarAsKnown() throws {
        var g = SeededGenerator(seed: 4)
        let reading = Self.adc(&g, full: true)
        #expect(try ADCReading(decoding: reading.bytes + [9, 9, 9, 9]) == reading)
    }

    @Test func memoryOfEveryLengthSurvivesItsBlocks() throws {
        var g = SeededGenerator(seed: 5)
        for size in [1, 12, 15, 16, 17, 64, 2543, 2544, 2545, 8336] {
            let memory = (0..<size).map { _ in UInt8.random(in: 0 ... .max, using: &g) }
            let range = MemoryRange(address: MemoryMap.logData, size: UInt32(size))
            let blocks = range.rawBlocks(of: memory)
            #expect(blocks.allSatisfy { $0.count <= MemoryRange.largestBlock && $0.count.isMultiple(of: 16) })
            #expect(try range.decrypt(blocks.flatMap { $0 }) == memory)
        }
    }

    @Test func requestsOfEveryKindAreReadBackAsWritten() throws {
        var g = SeededGenerator(seed: 6)
        for _ in 0..<200 {
            let commands: [HostCommand] = [
                .connect, .disconnect, .stopGraph, .startGraph(rateIndex: .random(in: 0...3, using: &g)),
                .getData(Attributes(rawValue: .random(in: 0...0x3FF, using: &g))),
                .memoryRead(
                    MemoryRange(
                        address: .random(in: 0 ... .max, using: &g), size: .random(in: 0 ... .max, using: &g))),
                .streamingAuth(
                    AuthRequest(
                        unixMilliseconds: .random(in: 0 ... .max, using: &g),
                        credential: (0..<12).map { _ in .random(in: 0 ... .max, using: &g) },
                        nonce: (0..<12).map { _ in .random(in: 0 ... .max, using: &g) })),
            ]
            for command in commands {
                let request = HostRequest(id: .random(in: 0 ... .max, using: &g), command)
                #expect(try ReceivedRequest(decoding: request.bytes) == .known(request))
            }
        }
    }

    @Test func fastQueueReaderAgreesWithTheFieldByFieldOne() throws {
        var g = SeededGenerator(seed: 7)
        for count in [0, 1, 2, 38, 63] {
            let samples = Self.samples(&g, count)
            let bytes = QueuePayload.encode(samples)
            let previous = Int64(samples.first?.uptimeMilliseconds ?? 1) + 5 * (1 << 32) - 1
            let fast = bytes.withUnsafeBytes { QueuePayload.decode($0, after: previous) }
            #expect(fast.count == count)
            for (k, (a, b)) in zip(fast, samples).enumerated() {
                #expect(a == b.sample(atUptime: previous + 1 + Int64(k)))
                #expect(UInt32(truncatingIfNeeded: a.uptimeMilliseconds) == b.uptimeMilliseconds)
            }
        }
    }

    /// Every decoder of outside bytes, on random bytes and on valid frames with a few bytes changed. It must return or throw.
    @Test func decodersSurviveDamagedFrames() throws {
        var g = SeededGenerator(seed: 8)
        var outcomes = 0
        var valid: [[UInt8]] = (0..<60).map { _ in Self.reply(&g).bytes }
        for vector in try Fixtures.allVectors() {
            for key in ["hex", "request_hex", "reply_hex", "confirm_hex"] where vector[key] != nil {
                valid.append(try vector.bytes(key))
            }
        }
        for round in 0..<30_000 {
            var frame: [UInt8]
            if round.isMultiple(of: 3) {
                frame = (0..<Int.random(in: 0...90, using: &g)).map { _ in .random(in: 0 ... .max, using: &g) }
                if !frame.isEmpty, Bool.random(using: &g) { frame[0] = [0x41, 0xC4, 0x4C, 0x44][round & 3] }
            } else {
                frame = try #require(valid.randomElement(using: &g))
                for _ in 0..<Int.random(in: 1...4, using: &g) where !frame.isEmpty {
                    frame[Int.random(in: 0..<min(frame.count, 40), using: &g)] = .random(in: 0 ... .max, using: &g)
                }
                if Bool.random(using: &g) { frame.removeLast(Int.random(in: 0...min(20, frame.count), using: &g)) }
            }
            outcomes += Fuzzing.decodeEverything(frame)
        }
        #expect(outcomes > 0, "some damaged frames are still frames")
    }

    @Test func captureReaderSurvivesDamagedFiles() throws {
        var g = SeededGenerator(seed: 9)
        let text = Array(try Fixtures.bytes("peer_logger_v1.9.5.csv").prefix(2_500))
        for _ in 0..<300 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...6, using: &g) {
                bytes[Int.random(in: 0..<bytes.count, using: &g)] = .random(in: 0 ... .max, using: &g)
            }
            if let file = try? CaptureFile(decoding: bytes, name: "f") {
                #expect(CaptureReport(rows: file.rows).summary.hasPrefix("{"))
            }
        }
    }

    /// A streaming session fed with damaged bytes at random times keeps its account and ends when asked to.
    @Test func sessionSurvivesRandomEvents() {
        var g = SeededGenerator(seed: 10)
        for _ in 0..<40 {
            var session = MeterSession(meter: "x", profile: .km003c)
            var now: Int64 = 0
            var received = 0
            _ = session.handle(.start(atNanoseconds: now))
            _ = session.handle(.opened(atNanoseconds: now))
            for _ in 0..<400 {
                now += Int64.random(in: 0...40_000_000, using: &g)
                let event: MeterSession.Event
                switch Int.random(in: 0...9, using: &g) {
                case 0...3: event = .timer(atNanoseconds: max(now, session.deadlineNanoseconds ?? now))
                case 4...6: event = .channel(.received(Self.reply(&g).bytes, atNanoseconds: now))
                case 7:
                    let types: [UInt8] = [0x05, 0x06, 0x03, 0x0B, 0xC4, 0x4C]
                    let type = types.randomElement(using: &g) ?? 5
                    event = .channel(.received([type, session.nextID, 0, 0], atNanoseconds: now))
                case 8:
                    let failures: [BusFailure] = [.timeout, .stall, .cancelled, .inputOutput, .noDevice, .overflow]
                    event = .channel(.failed(failures.randomElement(using: &g) ?? .stall, atNanoseconds: now))
                default: event = .opened(atNanoseconds: now)
                }
                for action in session.handle(event) {
                    if case .samples(let block) = action { received += block.samples.count }
                    if case .send(let frame) = action {
                        #expect(throws: Never.self) { try FrameGuard.check(frame) }
                    }
                }
            }
            _ = session.handle(.stop(atNanoseconds: now))
            for _ in 0..<40 {
                guard let deadline = session.deadlineNanoseconds else { break }
                for action in session.handle(.timer(atNanoseconds: deadline)) {
                    if case .samples(let block) = action { received += block.samples.count }
                }
            }
            #expect(session.condition == .finished || session.mode == .opening)
            #expect(session.account.received == received)
            #expect(session.account.isBalanced(stepMilliseconds: 1))
        }
    }
}
