import BoardControl
import MeterProtocol
import PhaseLink
import Testing

@testable import VirtualBench

@Suite struct VirtualBenchTests {
    /// Streams for a while and returns all samples with the host time of each tick.
    private func stream(_ bench: VirtualBench, milliseconds: Int) throws -> [(host: Int64, sample: QueueSample)] {
        let host = TestHost(bus: bench.makeBus())
        try host.open(serial: "VB0001")
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        var all: [(Int64, QueueSample)] = []
        for _ in 0..<milliseconds / 30 {
            host.pass(milliseconds: 30)
            for sample in try host.samples() {
                all.append(
                    (bench.world.present { $0.meters[0].time(ofUptime: Int64(sample.uptimeMilliseconds)) }, sample))
            }
        }
        return all
    }

    @Test func sampledEnergyAgreesWithTheTruthOfAPhase() throws {
        let bench = idealBench(seed: 4)
        bench.play(
            [.idle(seconds: 1), .step(megahertz: 1500, cores: 3, seconds: 4), .idle(seconds: 1)], on: "edge-1")
        let samples = try stream(bench, milliseconds: 6_600)
        let span = try #require(bench.world.present { $0.spans.first { $0.kind == "step" } })
        var joules = 0.0
        for (host, s) in samples where host >= span.beginNanoseconds && host < span.endNanoseconds {
            joules += Double(s.vbusMicrovolts) * Double(s.ibusMicroamperes) * 1e-12 * 1e-3
        }
        #expect(abs(joules / span.energy.meterJoules - 1) < 2e-3)
        #expect(span.energy.meterJoules > 12)
    }

    @Test func sameSeedSameBench() throws {
        func run() throws -> ([(Int64, QueueSample)], [SpanTruth], [PowerTransition]) {
            var description = BenchDescription(boards: 2, seed: 11, clock: .virtual)
            description.schedule = FedAvgSchedule()
            let bench = VirtualBench(description)
            let samples = try stream(bench, milliseconds: 3_000)
            return (
                samples.map { ($0.host, $0.sample) }, bench.world.present { $0.spans },
                bench.world.present { $0.boards.flatMap(\.transitions) }
            )
        }
        let (a, b) = (try run(), try run())
        #expect(a.0.map(\.1) == b.0.map(\.1))
        #expect(a.1 == b.1)
    }

    @Test func generatedSamplesAreAccountedFor() throws {
        let bench = idealBench { $0.recordsSamples = true }
        let samples = try stream(bench, milliseconds: 900)
        let (counts, inRing, log) = bench.world.present { state in
            (state.meters[0].counts, state.meters[0].ring.count, state.meters[0].sampleLog)
        }
        #expect(counts.sent == samples.count)
        #expect(counts.generated == counts.sent + counts.overwritten + counts.cleared + inRing)
        #expect(log.filter { $0.fate == .sent }.map(\.vbusMicrovolts) == samples.map(\.sample.vbusMicrovolts))
    }

    @Test func aSleepingBoardSilencesItsNodeAndWakesWithANewBoot() throws {
        let bench = idealBench(2)
        bench.play([.idle(seconds: 200)], on: "edge-1")
        let shutdown = LineAddress(chip: "gpiochip0", offset: 1)
        let enable = LineAddress(chip: "gpiochip0", offset: 2)
        let run = LineAddress(chip: "gpiochip0", offset: 3)
        try bench.lines.request(
            [
                LineRequest(
                    address: shutdown, role: .shutdownRequest, board: "pi01", mode: .openDrain, activeLow: true),
                LineRequest(address: enable, role: .globalEnable, board: "pi01", mode: .openDrain, activeLow: true),
                LineRequest(
                    address: run, role: .run, board: "pi01", mode: .input(pullUp: false), activeLow: false),
            ], consumer: "test")
        bench.world.run(forSeconds: 2)
        #expect(try bench.lines.isAsserted(run))
        try bench.lines.set(shutdown, asserted: true)
        bench.world.run(forSeconds: 0.2)
        try bench.lines.set(shutdown, asserted: false)
        bench.world.run(forSeconds: 10)
        #expect(bench.boardState("pi01") == .off)
        #expect(bench.boardState("pi02") == .running)
        #expect(try !bench.lines.isAsserted(run))
        _ = bench.takeNodeOutputs()
        bench.world.run(forSeconds: 5)
        #expect(bench.takeNodeOutputs().allSatisfy { $0.node == "edge-2" })
        try bench.lines.set(enable, asserted: true)
        bench.world.run(forSeconds: 0.1)
        try bench.lines.set(enable, asserted: false)
        bench.world.run(forSeconds: 30)
        #expect(bench.boardState("pi01") == .running)
        let lines = bench.world.present { $0.nodes[0].timeLines }
        #expect(lines.count == 2)
        #expect(lines[0].boot != lines[1].boot)
        let spans = bench.world.present { $0.spans.filter { $0.node == "edge-1" } }
        #expect(spans.first?.isAborted == true)
    }

    @Test func theMarkersOfARunGiveBackThePhasesOfTheTruth() throws {
        let bench = idealBench(2)
        var schedule = FedAvgSchedule()
        schedule.rounds = 2
        let end = bench.play(schedule, seed: 5, notBefore: bench.world.nowNanoseconds + 1_000_000_000)
        bench.world.run(until: end + 1_000_000_000)
        var marks: [String: [Int64]] = [:]
        for (node, output) in bench.takeNodeOutputs() {
            guard case .line(let event) = output, let mark = event.mark, mark.edge != .point else { continue }
            marks["\(node) \(mark.phase)", default: []].append(event.monoNanoseconds)
        }
        let (spans, zero) = bench.world.present { ($0.spans, $0.nodes.map { $0.timeLines[0].zeroAtNanoseconds }) }
        #expect(Set(spans.map(\.kind)).isSuperset(of: ["local_train", "model_upload", "app_start", "await_work"]))
        for span in spans where span.isMarked {
            let origin = span.node == "edge-1" ? zero[0] : zero[1]
            let stamps = try #require(marks["\(span.node) \(span.kind)"])
            #expect(stamps.contains(span.beginNanoseconds - origin))
            #expect(stamps.contains(span.endNanoseconds - origin))
        }
    }

    @Test func elevenMetersStreamWithoutLoss() throws {
        let bench = idealBench(11)
        let bus = bench.makeBus()
        var hosts: [TestHost] = []
        for m in 0..<11 {
            let host = TestHost(bus: bus)
            try host.open(serial: BenchDescription.serial(m))
            try host.openSession()
            _ = try host.reply(.startGraph(rateIndex: 3))
            hosts.append(host)
        }
        var last = [UInt32?](repeating: nil, count: 11)
        for turn in 0..<25 {
            for (m, host) in hosts.enumerated() {
                for sample in try host.samples() {
                    // The first polls come late: the meters were started one after the other.
                    if turn > 0, let before = last[m] { #expect(sample.uptimeMilliseconds == before + 1) }
                    last[m] = sample.uptimeMilliseconds
                }
            }
            hosts[0].pass(milliseconds: 20)
        }
    }
}
