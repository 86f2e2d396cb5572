import MeterProtocol
import Testing

@testable import VirtualBench

@Suite struct EmulatedMeterTests {
    private func host(_ bench: VirtualBench) throws -> TestHost {
        let host = TestHost(bus: bench.makeBus())
        try host.open(serial: "VB0001")
        return host
    }

    @Test func aStaleFrameWaitsAtOpen() throws {
        let host = try host(idealBench())
        #expect(host.read() == [0x03, 0x06, 0, 0])
        #expect(host.read(within: 20) == nil)
    }

    @Test func startIsRejectedBeforeAuthAndWhileAGraphRuns() throws {
        let host = try host(idealBench())
        _ = host.read()
        #expect(try host.reply(.connect) == .accept(id: 1))
        #expect(try host.reply(.startGraph(rateIndex: 3)) == .reject(id: 2))
        try host.openSession()
        guard case .accept = try host.reply(.startGraph(rateIndex: 3)) else {
            Issue.record("refused")
            return
        }
        guard case .reject = try host.reply(.startGraph(rateIndex: 3)) else {
            Issue.record("accepted twice")
            return
        }
    }

    @Test func theRingHolds63AndLosesTheOldest() throws {
        let host = try host(idealBench())
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        host.pass(milliseconds: 30)
        let first = try host.samples()
        #expect((29...32).contains(first.count))
        host.pass(milliseconds: 100)
        let second = try host.samples()
        #expect(second.count == 63)
        let last = try #require(first.last)
        let hole = try #require(second.first).uptimeMilliseconds - last.uptimeMilliseconds - 1
        #expect((36...39).contains(hole))
        for (a, b) in zip(second, second.dropFirst()) { #expect(b.uptimeMilliseconds == a.uptimeMilliseconds + 1) }
    }

    @Test func sixtyFourByteMultiplesEndWithAZeroLengthPacket() throws {
        let host = try host(idealBench())
        _ = host.read()
        _ = host.exchange(.connect)
        // 188 bytes of settings: 64 + 64 + 60 by 64-byte reads.
        host.channel?.send(HostRequest(id: 9, .getData(.settings)).bytes)
        var lengths: [Int] = []
        for _ in 0..<3 {
            host.channel?.postRead(readLength: 64)
            if case .received(let bytes, _) = host.next() { lengths.append(bytes.count) }
        }
        #expect(lengths == [64, 64, 60])
        // 64 bytes of memory: one full packet, then an empty one.
        let range = MemoryRange(address: MemoryMap.firmwareInfo, size: 64)
        host.channel?.send(HostRequest(id: 10, .memoryRead(range)).bytes)
        lengths = []
        for _ in 0..<3 {
            host.channel?.postRead(readLength: 64)
            if case .received(let bytes, _) = host.next() { lengths.append(bytes.count) }
        }
        #expect(lengths == [20, 64, 0])
    }

    @Test func identityIsReadFromMemoryAndOtherAddressesAreNotReadable() throws {
        let host = try host(idealBench())
        _ = host.read()
        _ = host.exchange(.connect)
        let range = MemoryRange(address: MemoryMap.firmwareInfo, size: 64)
        _ = try host.reply(.memoryRead(range))
        let identity = try IdentityText(decoding: try range.decrypt(try #require(host.read())))
        #expect(identity == IdentityText(model: "KM003C", version: "1.9.9", date: "2025.9.22"))
        let foreign = MemoryRange(address: 0x1234, size: 16)
        #expect(try host.reply(.memoryRead(foreign)) == .memoryNotReadable(id: host.nextID &- 1))
    }

    @Test func fiveSecondsOfSilenceEndTheSession() throws {
        let bench = idealBench()
        let host = try host(bench)
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        host.pass(milliseconds: 4_900)
        #expect(try host.samples().count == 63)
        host.pass(milliseconds: 5_100)
        let farewell = try #require(host.read())
        #expect(farewell[0] == 0x03 && farewell[2...] == [0, 0])
        guard case .reject = try host.reply(.startGraph(rateIndex: 3)) else {
            Issue.record("accepted after the session lapsed")
            return
        }
        guard case .data(let data) = try host.reply(.getData(.adc)) else {
            Issue.record("ADC must still be answered")
            return
        }
        #expect(data.header.authLevel == 0)
    }

    @Test func eachChannelIsRenewedEvery2107MicrosecondsAndNeverBothAtOnce() throws {
        let host = try host(idealBench())
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        var samples: [QueueSample] = []
        for _ in 0..<100 {
            host.pass(milliseconds: 40)
            samples += try host.samples()
        }
        var volts = 0
        var amps = 0
        var both = 0
        for (a, b) in zip(samples, samples.dropFirst()) {
            let v = a.vbusMicrovolts != b.vbusMicrovolts
            let i = a.ibusMicroamperes != b.ibusMicroamperes
            if v { volts += 1 }
            if i { amps += 1 }
            if v && i { both += 1 }
        }
        // 1/2.1068 = 47.5 % renewals; some renewals give the same value again.
        let ticks = Double(samples.count)
        #expect((0.42...0.48).contains(Double(volts) / ticks))
        #expect((0.42...0.48).contains(Double(amps) / ticks))
        #expect(both == 0)
        for sample in samples {
            let steps = Double(sample.vbusMicrovolts) / 195.3125
            #expect(abs(steps - steps.rounded()) < 0.01)
            #expect(sample.ibusMicroamperes % 16 == 0)
        }
    }

    @Test func temperatureIsNotAvailableWhile1000SamplesPerSecondRun() throws {
        let host = try host(idealBench())
        try host.openSession()
        func celsius() throws -> Double? {
            guard case .data(let data) = try host.reply(.getData(.adc)) else { return -99 }
            return try data.adc()?.temperatureCelsius
        }
        #expect(try celsius() == 26)
        _ = try host.reply(.startGraph(rateIndex: 3))
        host.pass(milliseconds: 100)
        #expect(try celsius() == nil)
        _ = try host.reply(.stopGraph)
        host.pass(milliseconds: 300)
        #expect(try celsius() == nil)
        host.pass(milliseconds: 300)
        #expect(try celsius() == 26)
    }

    @Test func theAverageIsTheMeanOfTheLastCompleteSecond() throws {
        let host = try host(idealBench())
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        var samples: [QueueSample] = []
        for _ in 0..<26 {
            host.pass(milliseconds: 40)
            samples += try host.samples()
        }
        guard case .data(let data) = try host.reply(.getData(.adc)) else { return }
        let mean = samples.prefix(1000).reduce(0.0) { $0 + Double($1.vbusMicrovolts) } / 1000
        let average = try #require(try data.adc()).vbusAverageMicrovolts
        #expect(abs(Double(average) - mean) <= 1)
    }

    @Test func theUptimeCounterWrapsAt32Bits() throws {
        var truth = MeterTruth(serial: "VB0001", board: "pi01")
        truth.uptimeStartMilliseconds = UInt32.max - 100
        var description = BenchDescription(boards: 1, seed: 1, clock: .virtual)
        description.isIdeal = true
        let bench = VirtualBench(description, meterTruths: [truth])
        let host = try host(bench)
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        var samples: [QueueSample] = []
        for _ in 0..<5 {
            host.pass(milliseconds: 40)
            samples += try host.samples()
        }
        for (a, b) in zip(samples, samples.dropFirst()) { #expect(b.uptimeMilliseconds == a.uptimeMilliseconds &+ 1) }
    }

    @Test func aFrameThatNoHostMaySendIsRecordedAndRejected() throws {
        let bench = idealBench()
        let host = try host(bench)
        _ = host.read()
        for type: UInt8 in [0x04, 0x08, 0x09, 0x48, 0x4A, 0x4D] {
            #expect(host.raw([type, 1, 0, 0]) == [0x06, 1, 0, 0])
        }
        #expect(bench.violations.count == 6)
    }

    @Test func theKM002CRejectsStopWhenIdleAndASecondConnect() throws {
        let host = try host(idealBench { $0.model = .km002c })
        try host.openSession()
        #expect(try host.reply(.stopGraph) == .reject(id: host.nextID &- 1))
        #expect(try host.reply(.connect) == .error(id: host.nextID &- 1))
    }

    @Test(arguments: [0, 1, 2]) func slowRatesStepByTheirPeriod(rate: Int) throws {
        let host = try host(idealBench())
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: UInt16(rate)))
        host.pass(milliseconds: 1_600)
        let samples = try host.samples()
        let period: UInt32 = [500, 100, 20][rate]
        #expect(samples.count == min(63, Int(1_600 / period)))
        for (a, b) in zip(samples, samples.dropFirst()) {
            #expect(b.uptimeMilliseconds == a.uptimeMilliseconds + period)
        }
        #expect(samples.first?.cc2 == (rate == 0 ? 32350 : 3235))
    }
}
