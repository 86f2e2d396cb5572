import Foundation
import PhaseLink
import Testing
import Timebase

@testable import MarkerServer

@Suite struct MarkerServerTests {
    private func isAck(_ sequence: Int64) -> (MarkerLine) -> Bool {
        { if case .ack(_, sequence) = $0 { true } else { false } }
    }

    /// Waits until the condition holds; the test fails by its own expectations if it never does.
    private func eventually(_ condition: () async -> Bool) async throws {
        for _ in 0..<2_000 {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("it never came to be")
    }

    @Test func anEventIsAcknowledgedOnlyOnceItIsStored() async throws {
        let journal = MemoryJournal()
        await journal.hold()
        let server = try await MarkerServer.start(journal: journal)
        let client = try Client(port: server.boundPort)
        let early = try await blocking {
            client.send(mark("1-a", 1))
            client.limitReading(milliseconds: 200)
            return client.receive()
        }
        #expect(early == nil)
        await journal.release()
        let lines = try await blocking {
            client.limitReading(milliseconds: 20_000)
            return client.lines { _ in true }
        }
        #expect(lines == [.ack(source: "1-a", sequence: 1)])
        #expect(await journal.events.count == 1)
        await server.stop()
    }

    @Test func afterARestartRepeatsAreDroppedAndHolesDoNotHoldUpAcknowledgements() async throws {
        let journal = MemoryJournal()
        let first = try await MarkerServer.start(journal: journal)
        let client = try Client(port: first.boundPort)
        _ = try await blocking { [isAck] in
            // Numbers 2 and 3 were dropped by the sender's full queue: they will never come.
            client.send(mark("1-a", 1) + mark("1-a", 4))
            return client.lines(until: isAck(4))
        }
        await first.stop()
        let second = try await MarkerServer.start(journal: journal)
        let again = try Client(port: second.boundPort)
        let acks = try await blocking { [isAck] in
            again.send(mark("1-a", 4) + mark("1-a", 5))
            return again.lines(until: isAck(5))
        }
        #expect(acks.last == .ack(source: "1-a", sequence: 5))
        #expect(await journal.events.map(\.identity.sequence) == [1, 4, 5])
        #expect(second.counters.repeats == 1)
        let account = await second.ledger.accounts.values.first
        #expect(account?.missing == [2...3])
        await second.stop()
    }

    @Test func badLinesAreCountedAndTheConnectionStaysOpen() async throws {
        let journal = MemoryJournal()
        let server = try await MarkerServer.start(journal: journal)
        let client = try Client(port: server.boundPort)
        let acks = try await blocking { [isAck] in
            client.send("no json\n\n{\"t\":\"mark\"}\n\u{0}\u{1}\n{\"t\":\"future\"}\n")
            client.send(String(repeating: "x", count: 1_000_000) + "\n")
            client.send(mark("1-a", 1))
            return client.lines(until: isAck(1))
        }
        #expect(acks == [.ack(source: "1-a", sequence: 1)])
        let counters = server.counters
        #expect(counters.unparsable == 3)
        #expect(counters.oversized == 1)
        #expect(counters.ignored == 1)
        #expect(counters.lastSkipReason != nil)
        await server.stop()
    }

    @Test func aPeerThatNeverReadsOrNeverEndsItsLineHoldsUpNobody() async throws {
        let journal = MemoryJournal()
        let server = try await MarkerServer.start(journal: journal)
        let deaf = try Client(port: server.boundPort)
        let endless = try Client(port: server.boundPort)
        let flood = Task.detached {
            try await blocking {
                for batch in 0..<200 as Range<Int64> {
                    let lines = (0..<100 as Range<Int64>).map { mark("2-deaf\($0)", batch + 1) }.joined()
                    if !deaf.send(lines) { break }
                }
            }
        }
        try await blocking { for _ in 0..<20 { endless.send(String(repeating: "y", count: 65_536)) } }
        let client = try Client(port: server.boundPort)
        let acks = try await blocking { [isAck] in
            var all: [MarkerLine] = []
            for number in 1...20 as ClosedRange<Int64> {
                client.send(mark("3-c", number))
                all += client.lines(until: isAck(number))
            }
            return all
        }
        #expect(acks.count == 20)
        try await flood.value
        await server.stop()
        let stored = await journal.events
        #expect(stored.filter { $0.source.source == "3-c" }.count == 20)
        #expect(Set(stored.map(\.identity)).count == stored.count)
    }

    @Test func whatCouldNotBeStoredIsNotAcknowledgedAndIsTakenTheSecondTime() async throws {
        let journal = MemoryJournal()
        await journal.fail(times: 1)
        let server = try await MarkerServer.start(journal: journal)
        let client = try Client(port: server.boundPort)
        let answer = try await blocking {
            client.send(mark("1-a", 1))
            return client.receive()
        }
        #expect(answer == nil)
        #expect(server.counters.commitFailures == 1)
        let again = try Client(port: server.boundPort)
        let acks = try await blocking { [isAck] in
            again.send(mark("1-a", 1))
            return again.lines(until: isAck(1))
        }
        #expect(acks == [.ack(source: "1-a", sequence: 1)])
        #expect(await journal.events.count == 1)
        await server.stop()
    }

    @Test func aPeerThatStopsSendingStillGetsItsLastAcknowledgementAndItsClosingIsRecorded() async throws {
        let journal = MemoryJournal()
        let server = try await MarkerServer.start(journal: journal)
        let before = HostClock.nowNanoseconds
        let client = try Client(port: server.boundPort)
        let lines = try await blocking {
            client.send((1...300 as ClosedRange<Int64>).map { mark("1-a", $0) }.joined())
            client.endWriting()
            return client.lines { _ in false }
        }
        #expect(lines.last == .ack(source: "1-a", sequence: 300))
        try await eventually { server.counters.openConnections == 0 }
        let closings = await journal.records.compactMap { if case .closing(let closing) = $0 { closing } else { nil } }
        #expect(closings.map(\.source.source) == ["1-a"])
        #expect(closings.allSatisfy { (before...HostClock.nowNanoseconds).contains($0.atNanoseconds) })
        await server.stop()
    }

    @Test func datagramsCarryTheSameLinesWithRepeats() async throws {
        let journal = MemoryJournal()
        let server = try await MarkerServer.start(journal: journal)
        let client = try Client(port: server.boundPort, udp: true)
        for number in 1...50 as ClosedRange<Int64> {
            let first = max(1, number - 3)
            client.send((first...number).map { mark("1-u", $0) }.joined())
        }
        try await eventually { await journal.events.count == 50 }
        #expect(await server.ledger.isComplete)
        #expect(server.counters.repeats == 144)
        await server.stop()
    }

    @Test func anyoneMayAskForTheHostsClockByDatagram() async throws {
        let server = try await MarkerServer.start(journal: MemoryJournal())
        let client = try Client(port: server.boundPort, udp: true)
        let before = HostClock.nowNanoseconds
        let answers = try await blocking {
            client.limitReading(milliseconds: 20_000)
            client.send(MarkerLine.syncRequest(id: 5, t1: 77).encoded)
            let first = client.lines { _ in true }
            client.send(MarkerLine.ping(id: 6, t1: 78).encoded)
            return first + client.lines { _ in true }
        }
        guard case .syncResponse(5, 77, let t2, let t3)? = answers.first, case .pong(6, 78, _, _, nil)? = answers.last
        else {
            Issue.record("\(answers)")
            return
        }
        #expect(before <= t2 && t2 <= t3 && t3 <= HostClock.nowNanoseconds)
        await server.stop()
    }

    @Test func aNodeThatAnswersIsAskedWhileQuietAndTheRawStampsAreKept() async throws {
        let journal = MemoryJournal()
        var limits = MarkerLimits()
        limits.pingsPerBurst = 4
        let server = try await MarkerServer.start(journal: journal, limits: limits)
        let agent = try Client(port: server.boundPort, udp: true)
        let boot = TimeLine(node: "edge-0", boot: "b0")
        let ahead: Int64 = 1 << 60
        let hello = MarkerEvent(
            identity: MarkerIdentity(source: SourceIdentity(timeLine: boot, source: "1-g"), sequence: 1),
            monoNanoseconds: 5, body: .hello(role: "agent", pid: 1, program: "agent"))
        try await blocking {
            agent.limitReading(milliseconds: 20_000)
            agent.send(MarkerLine.event(hello).encoded)
            for _ in 0..<4 {
                guard let text = agent.receive(),
                    case .ping(let id, let t1)? = try? MarkerLine(decoding: text.split(separator: "\n").joined())
                else { return }
                let now = HostClock.nowNanoseconds + ahead
                agent.send(MarkerLine.pong(id: id, t1: t1, t2: now, t3: now + 1, timeLine: boot).encoded)
            }
        }
        try await eventually { server.counters.clockExchanges == 4 }
        let exchanges = await journal.records.compactMap { record -> NodeClockExchange? in
            if case .clock(let exchange) = record { exchange } else { nil }
        }
        #expect(exchanges.allSatisfy { $0.timeLine == boot })
        let fit = try FourStampFit(node: "edge-0", boot: "b0", exchanges: exchanges.map(\.exchange))
        let node = exchanges[0].exchange.stamps.t2
        #expect(abs(fit.clock.target(atSource: node) - (node - ahead)) <= fit.clock.bound(atSource: node))
        await server.stop()
    }

    @Test func beyondThisMachineATokenIsNeeded() async throws {
        await #expect(throws: MarkerServerError.tokenNeeded(host: "0.0.0.0")) {
            try await MarkerServer.start(host: "0.0.0.0", journal: MemoryJournal())
        }
        let gate = Gate(token: "secret")
        #expect(gate.admits("secret"))
        for wrong in ["", "secre", "secrets", "Secret", "secret "] { #expect(!gate.admits(wrong)) }
        #expect(!Gate(token: nil).admits(""))
    }

    private static let outsideAddress: String? = {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else {
                continue
            }
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            getnameinfo(
                address, socklen_t(MemoryLayout<sockaddr_in>.size), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST
            )
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if !text.hasPrefix("127.") { return text }
        }
        return nil
    }()

    @Test(.enabled(if: outsideAddress != nil, "this machine has no address beyond loopback"))
    func peersFromBeyondLoopbackMustSendTheTokenFirst() async throws {
        let host = try #require(Self.outsideAddress)
        let journal = MemoryJournal()
        let server = try await MarkerServer.start(host: "0.0.0.0", journal: journal, token: "secret")
        let stranger = try Client(port: server.boundPort, host: host)
        let refused = try await blocking {
            stranger.send(mark("1-x", 1))
            return stranger.lines { _ in false }
        }
        guard case .refused? = refused.first else {
            Issue.record("\(refused)")
            return
        }
        let friend = try Client(port: server.boundPort, host: host)
        let acks = try await blocking { [isAck] in
            friend.send(MarkerLine.auth(token: "secret").encoded + "\n" + mark("2-y", 1))
            return friend.lines(until: isAck(1))
        }
        #expect(acks == [.ack(source: "2-y", sequence: 1)])
        let datagram = try Client(port: server.boundPort, udp: true, host: host)
        datagram.send(mark("3-z", 1))
        datagram.send(MarkerLine.auth(token: "secret").encoded + "\n" + mark("3-z", 2))
        try await eventually { await journal.events.count == 2 }
        #expect(await journal.events.map(\.source.source) == ["2-y", "3-z"])
        #expect(server.counters.refused == 2)
        await server.stop()
    }

    @Test func anEndpointIsReadAndItsMistakesAreNamed() throws {
        #expect(try MarkerEndpoint(parsing: "tcp://127.0.0.1:47800") == MarkerEndpoint(host: "127.0.0.1", port: 47_800))
        #expect(try MarkerEndpoint(parsing: "tcp://[::1]:0/").description == "tcp://[::1]:0")
        for wrong in ["127.0.0.1:1", "udp://a:1", "tcp://a", "tcp://:5", "tcp://a:70000", "tcp://::1:5", "tcp://a:b"] {
            #expect(throws: MarkerServerError.self) { try MarkerEndpoint(parsing: wrong) }
        }
    }

    @Test func aTakenPortIsNamed() async throws {
        let server = try await MarkerServer.start(journal: MemoryJournal())
        await #expect(throws: MarkerServerError.self) {
            try await MarkerServer.start(port: server.boundPort, journal: MemoryJournal())
        }
        await server.stop()
    }
}
