import Foundation
import MeterProtocol
import PhaseLink
import Testing

@testable import VirtualBench

/// A bare marker receiver on plain sockets: lines in, acknowledgements out.
final class BareReceiver {
    let listener: Int32
    let port: Int
    private var connections: [(fd: Int32, splitter: LineSplitter)] = []
    private(set) var events: [MarkerEvent] = []
    private(set) var accepted = 0
    private(set) var closed = 0
    var acknowledges = true

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        let address = try SocketAddress4(resolving: "127.0.0.1", port: 0)
        try #require(address.with { bind(listener, $0, $1) } == 0)
        try #require(listen(listener, 16) == 0)
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutableBytes(of: &bound) { bytes in
            bytes.baseAddress.map { getsockname(listener, $0.assumingMemoryBound(to: sockaddr.self), &length) }
        }
        port = Int(UInt16(bigEndian: bound.sin_port))
    }

    deinit {
        for connection in connections { close(connection.fd) }
        close(listener)
    }

    func closeConnections() {
        for connection in connections { close(connection.fd) }
        connections = []
    }

    /// Serves until `done` says so; false if that did not happen within half a minute.
    func serve(until done: () -> Bool) -> Bool {
        let limit = VirtualWorld.monotonicNanoseconds() + 30_000_000_000
        while !done() {
            if VirtualWorld.monotonicNanoseconds() > limit { return false }
            var set = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            set += connections.map { pollfd(fd: $0.fd, events: Int16(POLLIN), revents: 0) }
            guard poll(&set, nfds_t(set.count), 20) > 0 else { continue }
            for k in connections.indices.reversed() where set[k + 1].revents != 0 { receive(k) }
            if set[0].revents != 0 {
                connections.append((accept(listener, nil, nil), LineSplitter()))
                accepted += 1
            }
        }
        return true
    }

    private func receive(_ k: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(connections[k].fd, &buffer, buffer.count, 0)
        guard count > 0 else {
            close(connections[k].fd)
            connections.remove(at: k)
            closed += 1
            return
        }
        for piece in connections[k].splitter.feed(buffer[..<count]) {
            guard case .line(let bytes) = piece, case .event(let event) = try? MarkerLine(decoding: bytes[...]) else {
                Issue.record("a line that is none")
                continue
            }
            events.append(event)
            guard acknowledges else { continue }
            let ack = MarkerLine.ack(source: event.source.source, sequence: event.identity.sequence).encoded + "\n"
            _ = ack.withCString { send(connections[k].fd, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        }
    }

    func ask(udpPort: Int, id: Int64) throws -> (pong: MarkerLine, t1: Int64, t4: Int64)? {
        let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(fd) }
        let target = try SocketAddress4(resolving: "127.0.0.1", port: udpPort)
        let t1 = VirtualWorld.monotonicNanoseconds()
        let text = Array(MarkerLine.ping(id: id, t1: t1).encoded.utf8)
        _ = target.with { sendto(fd, text, text.count, 0, $0, $1) }
        var set = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard poll(&set, 1, 5_000) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = recv(fd, &buffer, buffer.count, 0)
        let t4 = VirtualWorld.monotonicNanoseconds()
        return (try MarkerLine(decoding: buffer[..<max(0, count)]), t1, t4)
    }
}

@Suite(.serialized) struct NodeLinkTests {
    private func realBench(_ boards: Int) -> VirtualBench {
        VirtualBench(BenchDescription(boards: boards, seed: 3, clock: .real))
    }

    private func phases(_ count: Int) -> [ScheduledPhase] {
        (0..<count).map { k in
            ScheduledPhase(
                "step", seconds: 0.05, load: .busy(cores: Double(k % 5)), beginAttributes: ["k": .integer(Int64(k))])
        }
    }

    @Test func everyLineArrivesAndIsAcknowledged() throws {
        let receiver = try BareReceiver()
        let bench = realBench(3)
        try bench.connectNodes(host: "127.0.0.1", port: receiver.port)
        for n in 0..<3 { bench.play(phases(10), on: BenchDescription.nodeName(n)) }
        let complete = receiver.serve {
            receiver.events.filter { $0.mark?.edge == .end }.count == 30 && bench.unacknowledgedLines == 0
        }
        #expect(complete)
        bench.stop()
        // Within a source the numbers come without a hole.
        for (_, events) in Dictionary(grouping: receiver.events, by: \.source) {
            let numbers = Set(events.map(\.identity.sequence))
            #expect(numbers.count == Int(numbers.max() ?? 0))
        }
    }

    @Test func linesWithoutAcknowledgementComeAgainOnANewConnection() throws {
        let receiver = try BareReceiver()
        receiver.acknowledges = false
        let bench = realBench(1)
        try bench.connectNodes(host: "127.0.0.1", port: receiver.port)
        bench.play(phases(4), on: "edge-1")
        #expect(receiver.serve { receiver.events.filter { $0.mark?.edge == .end }.count == 4 })
        let before = Set(receiver.events.map(\.identity))
        receiver.closeConnections()
        receiver.acknowledges = true
        let count = receiver.events.count
        #expect(receiver.serve { bench.unacknowledgedLines == 0 && receiver.events.count > count })
        let again = Set(receiver.events.dropFirst(count).map(\.identity))
        #expect(again.isSuperset(of: before))
        bench.stop()
    }

    @Test func clockQuestionsAreAnsweredOnTheNodesOwnClock() throws {
        let receiver = try BareReceiver()
        let bench = realBench(1)
        try bench.connectNodes(host: "127.0.0.1", port: receiver.port)
        var port: Int64?
        let found = receiver.serve {
            port = receiver.events.compactMap { $0.attributes["udp_port"]?.integer }.last
            return port != nil
        }
        #expect(found)
        let udpPort = Int(try #require(port))
        let answer = try #require(try receiver.ask(udpPort: udpPort, id: 7))
        guard case .pong(7, let t1, let t2, let t3, let line) = answer.pong else {
            Issue.record("no pong")
            return
        }
        #expect(t1 == answer.t1 && t3 >= t2)
        let truth = bench.truth().nodes[0].timeLines[0]
        #expect(line?.boot == truth.boot)
        func mono(_ host: Int64) -> Int64 {
            Int64(Double(host - truth.zeroAtNanoseconds) * (1 + truth.clockPPM * 1e-6))
        }
        // The node's stamps lie between question and answer, on the node's clock (rounding of doubles aside).
        #expect(t2 >= mono(answer.t1) - 10_000 && t3 <= mono(answer.t4) + 10_000)
        bench.stop()
    }

    @Test func aBoardThatIsCutLeavesItsConnectionOpenAndSilent() throws {
        let receiver = try BareReceiver()
        let bench = realBench(1)
        try bench.connectNodes(host: "127.0.0.1", port: receiver.port)
        #expect(receiver.serve { !receiver.events.isEmpty })
        bench.world.present { state in
            state.boards[0].connectSupply(false, at: state.now)
            state.followTransitions()
        }
        let until = VirtualWorld.monotonicNanoseconds() + 1_500_000_000
        _ = receiver.serve { VirtualWorld.monotonicNanoseconds() > until - 1_000_000_000 }
        let count = receiver.events.count
        _ = receiver.serve { VirtualWorld.monotonicNanoseconds() > until }
        #expect(receiver.events.count == count)
        #expect(receiver.closed == 0)
        bench.stop()
    }

    @Test func truthFilesHoldWhatHappened() throws {
        let bench = idealBench(2) { $0.recordsSamples = true }
        let start = bench.world.nowNanoseconds + 400_000_000
        bench.play([.step(megahertz: 1500, cores: 2, seconds: 2)], on: "edge-2", notBefore: start)
        let host = TestHost(bus: bench.makeBus())
        try host.open(serial: "VB0002")
        try host.openSession()
        _ = try host.reply(.startGraph(rateIndex: 3))
        for _ in 0..<100 {
            host.pass(milliseconds: 25)
            _ = try host.samples()
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("truth-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try bench.writeTruth(to: folder)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent("truth.json")))
                as? [String: Any])
        let phases = try #require(object["phases"] as? [[String: Any]])
        let joules = try #require(phases.first?["meter_joules"] as? Double)
        let csv = try String(contentsOf: folder.appendingPathComponent("samples_VB0002.csv"), encoding: .utf8)
        // The phase's energy from the per-sample truth, each sample standing for one millisecond.
        let span = try #require(bench.truth().spans.first)
        var sum = 0.0
        for line in csv.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",")
            guard let at = Int64(fields[1]), let v = Double(fields[2]), let i = Double(fields[3]) else { continue }
            if at >= span.beginNanoseconds, at < span.endNanoseconds { sum += v * i * 1e-3 }
        }
        #expect(abs(sum / joules - 1) < 2e-2)
    }
}
