import Foundation
import Testing
import Traces

@testable import RunStore

@Suite struct RunFileTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("run.wbrun")
    }

    @Test func everythingRecordedIsReadBack() async throws {
        let a = makeReplies(meter: "A", samples: 5000, seed: 1)
        let b =
            makeReplies(meter: "B", samples: 3000, seed: 2)
            + makeReplies(meter: "B", epoch: 1, from: 50, samples: 700, seed: 3)
        let writer = try RunWriter(
            creating: path, metadata: ["bench": "desk", "harness_version": "1"], settings: onlyWhenTold)
        try writer.register(testMeter("A"))
        try writer.register(testMeter("B"))
        for reply in a + b { try writer.append(reply) }
        let gap = Gap(
            meter: "B", epoch: 1, afterUptimeMilliseconds: 749, beforeUptimeMilliseconds: 760, missing: 10,
            cause: .transfer)
        let reboot = Gap(
            meter: "B", epoch: 1, afterUptimeMilliseconds: 0, beforeUptimeMilliseconds: 50, missing: nil,
            cause: .disconnected)
        try writer.append(gap)
        try writer.append(reboot)
        let event = RunEvent(
            atNanoseconds: 5, severity: .warning, source: "B", kind: "session_lost", text: "Meter B went away.")
        try writer.append(event)
        let pair = ClockExchange(
            clock: "edge-0/4987cb3ccadb", hostAsked: false, burst: 7, t1: 1, t2: .max, t3: .max, t4: 4)
        try writer.append(pair)
        let closing = SourceClosing(node: "edge-0", boot: "4987cb3ccadb", source: "74e9-adf1f5", atNanoseconds: 99)
        try writer.append(closing)
        let marker = MarkerRecord(
            identity: .init(node: "edge-0", boot: "4987cb3ccadb", source: "74e9-adf1f5", sequence: 17),
            receivedAtNanoseconds: 9, transport: "tcp", line: #"{"v":1,"mono":9007199254740993}"#)
        try writer.append(marker)
        try writer.append(marker)
        try writer.append(TelemetryRecord(atNanoseconds: 3, node: "edge-0", line: #"{"temp_c":51.5}"#))
        try writer.setCounters(
            "B", MeterCounters(repeated: 4, reconnects: 1, rejectedReplies: 2, others: ["stalls": 3]))
        try await writer.finish()

        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
        let reader = try RunReader(opening: path)
        #expect(reader.isClosed)
        #expect(reader.meters == [testMeter("A"), testMeter("B")])
        #expect(try readAll(reader, "A").replies == a)
        #expect(try readAll(reader, "B").replies == b)
        #expect(try reader.gaps(of: "B") == [reboot, gap])
        #expect(try reader.events() == [event])
        #expect(try reader.clockExchanges() == [pair])
        #expect(try reader.closings() == [closing])
        #expect(try reader.markers() == [marker])
        #expect(try reader.telemetry(of: "edge-0").count == 1)
        #expect(try reader.counters(of: "B")?.others == ["stalls": 3])
        #expect(try reader.counters(of: "B")?.repeated == 4)
        #expect(try reader.counters(of: "A") == nil)
        #expect(try reader.metadata()["bench"] == "desk")
        let epochs = try reader.epochs(of: "B")
        #expect(epochs.map(\.samples) == [3000, 700])
        #expect(epochs.map(\.firstUptimeMilliseconds) == [10_000, 50])
    }

    @Test func aRunIsNeverOverwritten() async throws {
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        #expect(throws: RunStoreError.alreadyExists(path: path)) {
            try RunWriter(creating: path, settings: onlyWhenTold)
        }
        try await writer.finish()
        #expect(throws: RunStoreError.alreadyExists(path: path)) {
            try RunWriter(creating: path, settings: onlyWhenTold)
        }
        await #expect(throws: RunStoreError.finished(path: path)) { try await writer.commitNow() }
    }

    @Test func samplesOfAnUnknownMeterAreRefused() throws {
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        let reply = try #require(makeReplies(meter: "X", samples: 10, seed: 1).first)
        #expect(throws: RunStoreError.unknownMeter(path: path, serial: "X")) { try writer.append(reply) }
    }

    @Test func otherFilesAreNamedForWhatTheyAre() throws {
        #expect(throws: RunStoreError.notFound(path: path)) { try RunReader(opening: path) }
        try Data().write(to: URL(fileURLWithPath: path))
        #expect { try RunReader(opening: path) } throws: { "\($0)".contains("it is empty") }
        try Data(repeating: 65, count: 5000).write(to: URL(fileURLWithPath: path))
        #expect { try RunReader(opening: path) } throws: { "\($0)".contains("is not a run file") }
        #expect { try RunReader(opening: folder.path) } throws: { "\($0)".contains("not a plain file") }
        #expect { try RunWriter(creating: folder.file("none/run.wbrun")) } throws: {
            "\($0)".contains("check that the folder exists")
        }
    }

    @Test func aRunIsReadWhileItIsRecorded() async throws {
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        try writer.register(testMeter("A"))
        let replies = makeReplies(meter: "A", samples: 2500, seed: 5)
        for reply in replies { try writer.append(reply) }
        try await writer.commitEverything()
        let reader = try RunReader(opening: path)
        #expect(!reader.isClosed)
        #expect(try readAll(reader, "A").replies == replies)
        #expect(throws: RunStoreError.self) { try reader.blocks(of: "Z") }
        try await writer.finish()
        #expect(try readAll(reader, "A").replies == replies)
    }

    @Test func aSelectionCutsReplies() async throws {
        let writer = try RunWriter(creating: path, settings: onlyWhenTold)
        try writer.register(testMeter("A"))
        let replies = makeReplies(meter: "A", samples: 9000, seed: 6)
        for reply in replies { try writer.append(reply) }
        try await writer.finish()
        let reader = try RunReader(opening: path)
        var rows = try reader.blocks(of: "A", epoch: 0, uptimes: 12_345...13_344)
        var uptimes: [Int64] = []
        while let item = try rows.next() {
            guard case .block(let block) = item else { continue }
            uptimes += block.replies.flatMap { $0.samples.map(\.uptimeMilliseconds) }
        }
        #expect(uptimes == Array(12_345...13_344))
    }

    @Test func aQueueThatOverflowsLeavesAGapAndNoDoubt() async throws {
        var settings = onlyWhenTold
        settings.waitingSampleLimit = 1000
        let writer = try RunWriter(creating: path, settings: settings)
        try writer.register(testMeter("A"))
        let replies = makeReplies(meter: "A", samples: 3000, seed: 7)
        for reply in replies.prefix(60) { try writer.append(reply) }
        try await writer.commitEverything()
        for reply in replies.dropFirst(60) { try writer.append(reply) }
        try await writer.finish()
        let reader = try RunReader(opening: path)
        let stored = try readAll(reader, "A").replies.reduce(0) { $0 + $1.samples.count }
        let gaps = try reader.gaps(of: "A")
        #expect(!gaps.isEmpty && gaps.allSatisfy { $0.cause == .queue })
        #expect(stored + gaps.reduce(0) { $0 + ($1.missing ?? 0) } == 3000)
    }

    @Test func recordingGoesOnInAReopenedFile() async throws {
        let replies = makeReplies(meter: "A", samples: 30_000, seed: 8)
        let marker = MarkerRecord(
            identity: .init(node: "n", boot: "b", source: "s", sequence: 1), receivedAtNanoseconds: 0, transport: "udp",
            line: "{}")
        let first = try RunWriter(creating: path, settings: onlyWhenTold)
        try first.register(testMeter("A"))
        for reply in replies.prefix(500) { try first.append(reply) }
        try first.append(marker)
        try await first.finish()
        let second = try RunWriter(reopening: path, settings: onlyWhenTold)
        #expect(second.storedMarkerIdentities == [marker.identity])
        try second.register(testMeter("A"))
        for reply in replies.dropFirst(500) { try second.append(reply) }
        try second.append(marker)
        try await second.finish()
        let reader = try RunReader(opening: path)
        #expect(try readAll(reader, "A").replies == replies)
        #expect(try reader.markers().count == 1)
        for level in PyramidLevel.allCases {
            let buckets = try reader.buckets(of: "A", epoch: 0, level: level)
            #expect(buckets.reduce(0) { $0 + $1.count } == 30_000)
            #expect(Set(buckets.map(\.index)).count == buckets.count)
        }
    }
}
