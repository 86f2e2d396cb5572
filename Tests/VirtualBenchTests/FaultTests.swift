import BoardControl
import MeterProtocol
import Testing

@testable import VirtualBench

@Suite struct FaultTests {
    private func streaming(_ faults: [Fault], seed: UInt64 = 1) throws -> (bench: VirtualBench, host: TestHost) {
        let bench = idealBench(seed: seed) { $0.faults = faults }
        let host = TestHost(bus: bench.makeBus())
        try host.open(serial: "VB0001")
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        host.pass(milliseconds: 30)
        _ = try host.samples()
        return (bench, host)
    }

    private func poll(_ host: TestHost) -> [UInt8]? {
        host.pass(milliseconds: 30)
        return host.exchange(.getData(.adcQueue))
    }

    @Test func aLostReplyTimesOutAndItsSamplesAreCountedAsLost() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.lostReply))
        #expect(poll(host) == nil)
        #expect(bench.truth().meters[0].lostInTransit > 25)
        #expect(poll(host) != nil)
    }

    @Test func aLateReplyComesAfterTheTimeOutWithItsOldID() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.lateReply))
        host.pass(milliseconds: 20)
        let id = host.nextID
        #expect(host.exchange(.getData(.adcQueue)) == nil)
        let late = try #require(host.read(within: 500))
        #expect(late[1] == id)
    }

    @Test func aShortReplyDoesNotHoldWhatItAnnounces() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.shortReply))
        let reply = try #require(poll(host))
        #expect(throws: ProtocolFailure.self) { try MeterReply(decoding: reply) }
    }

    @Test func aWrongSizeFieldAnnouncesOneSampleTooMany() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.wrongSize))
        let reply = try #require(poll(host))
        #expect(Int(reply[6] & 0x3F) == (reply.count - 8) / 20 + 1)
    }

    @Test func aRepeatedPrefixBringsOldSamplesAgain() throws {
        let (bench, host) = try streaming([])
        let before = try MeterReply(decoding: try #require(poll(host)))
        bench.inject(Fault(.repeatedPrefix))
        let after = try MeterReply(decoding: try #require(poll(host)))
        guard case .data(let a) = before, case .data(let b) = after else {
            Issue.record("no data")
            return
        }
        let last = try #require(try a.queue().last).uptimeMilliseconds
        let uptimes = try b.queue().map(\.uptimeMilliseconds)
        #expect(uptimes.contains { $0 <= last })
        #expect(uptimes.contains { $0 > last })
        #expect(uptimes.count > 45)
    }

    @Test(arguments: [FaultKind.zeroSample, .tornSample, .outOfOrder]) func damagedSamplesBreakTheCount(
        kind: FaultKind
    ) throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(kind))
        guard case .data(let data) = try MeterReply(decoding: try #require(poll(host))) else { return }
        let uptimes = try data.queue().map(\.uptimeMilliseconds)
        let clean = zip(uptimes, uptimes.dropFirst()).allSatisfy { $1 == $0 + 1 }
        #expect(!clean)
        guard case .data(let next) = try MeterReply(decoding: try #require(poll(host))) else { return }
        let again = try next.queue().map(\.uptimeMilliseconds)
        #expect(zip(again, again.dropFirst()).allSatisfy { $1 == $0 + 1 })
    }

    @Test func aStalledEndpointStaysHaltedUntilCleared() throws {
        let (bench, host) = try streaming([])
        host.channel?.postRead(readLength: 4096)
        bench.inject(Fault(.stall))
        #expect(host.next() == .failed(.stall, atNanoseconds: bench.world.nowNanoseconds))
        host.channel?.postRead(readLength: 4096)
        guard case .failed(.stall, _) = host.next() else {
            Issue.record("not halted")
            return
        }
        host.channel?.clearHalt()
        #expect(poll(host) != nil)
    }

    @Test func anUnpluggedMeterComesBackWithItsSerialAndANewUptime() throws {
        var fault = Fault(.unplug, target: "VB0001", durationSeconds: 2)
        fault.keepsUptime = false
        let (bench, host) = try streaming([])
        let generation = host.bus.topologyGeneration
        host.channel?.postRead(readLength: 4096)
        bench.inject(fault)
        guard case .failed(.noDevice, _) = host.next() else {
            Issue.record("still there")
            return
        }
        #expect(try host.bus.discover().isEmpty)
        #expect(host.bus.topologyGeneration == generation + 1)
        host.close()
        host.pass(milliseconds: 2_100)
        #expect(host.bus.topologyGeneration == generation + 2)
        try host.open(serial: "VB0001")
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        host.pass(milliseconds: 30)
        #expect(try #require(try host.samples().first).uptimeMilliseconds < 3_000)
    }

    @Test func eventsTriggerFaultsByNumber() throws {
        let bench = idealBench { $0.faults = [Fault(.rejectStart, on: .startGraph, nth: 2)] }
        let host = TestHost(bus: bench.makeBus())
        try host.open(serial: "VB0001")
        try host.openSession()
        var answers: [Bool] = []
        for _ in 0..<3 {
            if case .accept = try host.reply(.startGraph(rateIndex: 3)) {
                answers.append(true)
            } else {
                answers.append(false)
            }
            _ = try host.reply(.stopGraph)
        }
        #expect(answers == [true, false, true])
    }

    @Test func aGapInServiceOverrunsTheRing() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.pollGap, durationSeconds: 0.15))
        let reply = try #require(host.exchange(.getData(.adcQueue)))
        #expect(reply.count == 8 + 63 * 20)
        #expect(bench.truth().meters[0].counts.overwritten >= 80)
    }

    @Test func hostSilenceLetsTheSessionLapse() throws {
        let (bench, host) = try streaming([])
        bench.inject(Fault(.hostSilence))
        host.pass(milliseconds: 5_600)
        #expect(try #require(host.read())[0] == 0x03)
        #expect(bench.truth().meters[0].counts.idleTimeouts == 1)
    }

    @Test func busyAndForbiddenMetersSayWhy() throws {
        let bench = idealBench(2) {
            $0.faults = [
                Fault(.busy, target: "VB0001", durationSeconds: 2),
                Fault(.forbidden, target: "VB0002", durationSeconds: 2),
            ]
        }
        bench.world.run(forSeconds: 0.01)
        let bus = bench.makeBus()
        let found = try bus.discover()
        #expect(found.map(\.access) == [.busy(holder: "powerz"), .forbidden])
        #expect(throws: BusFailure.busy(holder: "powerz")) { try bus.open(found[0]) { _ in } }
        #expect(throws: BusFailure.forbidden) { try bus.open(found[1]) { _ in } }
        bench.world.run(forSeconds: 3)
        _ = try bus.open(found[0]) { _ in }
    }

    @Test func serialsCanRepeatOrBeEmpty() throws {
        let bench = idealBench(3) { $0.faults = [Fault(.duplicateSerial, target: "VB0002"), Fault(.emptySerial)] }
        #expect(try bench.makeBus().discover().map(\.serial) == ["VB0001", "VB0001", ""])
    }

    @Test func undervoltageIsSeenByMeterAndBoard() throws {
        let bench = idealBench()
        bench.play([.step(megahertz: 1500, cores: 4, seconds: 20)], on: "edge-1")
        bench.world.run(forSeconds: 1)
        bench.inject(Fault(.undervoltage, target: "pi01", durationSeconds: 2))
        bench.world.run(forSeconds: 1)
        let (volts, word) = bench.world.present { state in
            (
                state.boards[0].trace.mean(.volts, from: state.now - 100_000_000, to: state.now),
                state.boards[0].throttledWord
            )
        }
        #expect(try #require(volts) < 4.63)
        #expect(word & 0x1 != 0)
        bench.world.run(forSeconds: 2)
        let after = bench.world.present { $0.boards[0].throttledWord }
        #expect(after & 0x1 == 0 && after & 0x10000 != 0)
    }

    @Test func aScriptIsReadWithTimesAndEvents() throws {
        let text = """
            faults:
              - kind: unplug
                meter: VB0003
                at_s: 20
                duration_s: 3
                uptime: keep
              - {kind: reject_start, on: start_graph, nth: 2}
            """
        let faults = try FaultScript.parse(text, file: "f.yaml")
        #expect(faults.count == 2)
        #expect(faults[0].kind == .unplug && faults[0].target == "VB0003" && faults[0].keepsUptime)
        #expect(faults[1].on == .startGraph && faults[1].nth == 2)
        let json = #"{"faults": [{"kind": "throttle", "board": "pi01", "at_s": 1}]}"#
        #expect(try FaultScript.parse(json, file: "f.json").first?.kind == .throttle)
    }

    @Test(arguments: [
        ("faults:\n  - kind: unplugged\n", 2, "unplugged"), ("faults:\n  - kind: stall\n    metre: x\n", 3, "metre"),
        ("faults:\n  - kind: throttle\n    meter: VB0001\n", 3, "board"),
        ("faults:\n  - kind: stall\n    at_s: -1\n", 3, "-1"), ("fault: []", 1, "fault"),
    ]) func mistakesAreToldWithTheirLine(text: String, line: Int, word: String) {
        do throws(VirtualBenchFailure) {
            _ = try FaultScript.parse(text, file: "f.yaml")
            Issue.record("accepted")
        } catch {
            #expect(error.description.hasPrefix("f.yaml:\(line):"))
            #expect(error.description.contains(word))
        }
    }

    @Test func anyTextIsReadOrRefusedNeverMore() {
        var g = SeededGenerator(seed: 3)
        let words = ["faults", ":", "-", " kind", "stall", "\n", "{", "}", "[", "at_s", "1e999", "nth", "0", "\t", "é"]
        for _ in 0..<500 {
            let text = (0..<Int(g.uniform(1, 20))).map { _ in words[Int(g.uniform(0, Double(words.count)))] }.joined()
            _ = try? FaultScript.parse(text, file: "f")
        }
    }
}
