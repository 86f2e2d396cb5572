import Foundation
import Testing

@testable import MeterProtocol

/// Captures that the reference set does not have: other hosts, other rates, losses, damage.
@Suite struct CaptureVariantTests {
    // MARK: A small capture maker

    struct Maker {
        var rows: [CaptureRow] = []
        var id: UInt8 = 0

        mutating func out(_ command: HostCommand) {
            id &+= 1
            add(.out, HostRequest(id: id, command).bytes)
        }

        mutating func add(
            _ direction: CaptureRow.Direction, _ data: [UInt8], endpoint: UInt8? = nil, type: String = "bulk",
            status: Int = 0, buffer: Int = 4096
        ) {
            rows.append(
                CaptureRow(
                    seq: rows.count, timeMicroseconds: Int64(rows.count) * 1000, direction: direction,
                    endpoint: endpoint ?? (direction == .out ? 1 : 0x81), transferType: type, status: status,
                    bufferLength: direction == .in ? buffer : nil, data: data, otherTimeMicroseconds: 0))
        }

        mutating func start(_ rate: UInt16, accepted: Bool = true) {
            out(.startGraph(rateIndex: rate))
            add(.in, (accepted ? MeterReply.accept(id: id) : .reject(id: id)).bytes)
        }

        mutating func poll(_ samples: [QueueSample]) {
            out(.getData(.adcQueue))
            add(.in, PutData(id: id, authLevel: 1, contents: [.adcQueue(samples)]).bytes)
        }

        mutating func poll(_ uptimes: [UInt32]) { poll(uptimes.map(Self.sample)) }

        static func sample(_ uptime: UInt32) -> QueueSample {
            QueueSample(uptimeMilliseconds: uptime, vbusMicrovolts: 5_000_000, ibusMicroamperes: -1000)
        }

        var report: CaptureReport { CaptureReport(rows: rows) }
        var text: String { ([CaptureRow.header] + rows.map(\.line)).joined(separator: "\n") + "\n" }
    }

    @Test(arguments: [(0, 500), (1, 100), (2, 20), (3, 1)] as [(UInt16, UInt32)])
    func missingSamplesAreCountedAtTheSegmentsRate(rate: UInt16, step: UInt32) throws {
        var maker = Maker()
        maker.start(rate)
        maker.poll((0..<10).map { 1000 + $0 * step })
        maker.poll((17..<20).map { 1000 + $0 * step })
        let segment = try #require(maker.report.segments.first)
        #expect(segment.missing == 7)
        #expect(segment.gaps.count == 1)
        #expect(segment.gaps.first?.indexInBatch == 0)
        #expect(segment.samples == 13)
        #expect(segment.largestBatch == 10 && segment.batches == 2)
        #expect(maker.report.summary.contains("\"missing_samples\": 7"))
        let span = Int64(segment.lastUptimeMilliseconds - segment.firstUptimeMilliseconds) / Int64(step)
        #expect(span + 1 == Int64(segment.samples) + segment.missing)
    }

    @Test func repeatedPrefixIsCountedAndOpensNoGap() throws {
        var maker = Maker()
        maker.start(3)
        maker.poll(Array(1000..<1044))
        maker.poll(Array(1000..<1063))
        let segment = try #require(maker.report.segments.first)
        #expect(segment.repeatedOrBackward == 44)
        #expect(segment.missing == 0 && segment.rejected == 0)
        #expect(segment.lastUptimeMilliseconds == 1062)
    }

    @Test func zeroAndTornSamplesAreRejectedWithoutFalseGaps() throws {
        var maker = Maker()
        maker.start(3)
        var samples = (1000..<1030).map { Maker.sample(UInt32($0)) }
        samples[10] = QueueSample(uptimeMilliseconds: 0, vbusMicrovolts: 0, ibusMicroamperes: 0)
        samples[20].uptimeMilliseconds = 66_556
        maker.poll(samples)
        let segment = try #require(maker.report.segments.first)
        #expect(segment.rejected == 2)
        #expect(segment.missing == 2, "their own places are missing")
        #expect(segment.gaps.count == 2)
        #expect(segment.repeatedOrBackward == 0)
        #expect(segment.meanVbusMicrovolts == 5_000_000)
    }

    @Test func uptimeWrapIsNoGapAndARestartedClockIsSaid() throws {
        var wrap = Maker()
        wrap.start(3)
        wrap.poll((0..<40).map { UInt32.max - 19 &+ $0 })
        let wrapped = try #require(wrap.report.segments.first)
        #expect(wrapped.missing == 0 && wrapped.repeatedOrBackward == 0 && wrapped.rejected == 0)
        var reboot = Maker()
        reboot.start(3)
        reboot.poll(Array(900_000..<900_020))
        reboot.poll(Array(300..<320))
        let restarted = try #require(reboot.report.segments.first)
        #expect(restarted.clockRestarts == 1)
        #expect(restarted.missing == 0 && restarted.repeatedOrBackward == 0)
    }

    @Test(arguments: [(1, 1000), (20, 50), (100, 10), (500, 2)] as [(UInt32, Int)])
    func midSessionCaptureInfersItsRateAndSaysSo(step: UInt32, perSecond: Int) throws {
        var maker = Maker()
        maker.poll((0..<20).map { 5000 + $0 * step })
        maker.poll((22..<40).map { 5000 + $0 * step })
        let segment = try #require(maker.report.segments.first)
        #expect(segment.startSeq == nil)
        #expect(segment.isRateInferred)
        #expect(segment.missing == 2)
        let summary = maker.report.summary
        #expect(summary.contains("\"rate_sps\": \(perSecond)"))
        #expect(summary.contains("\"rate_inferred_from_steps\": true"))
        #expect(
            maker.report.files(includingPackets: false).first { $0.name == "queue.csv" }?.text.contains(",,\n") == true)
    }

    @Test func rejectedStartBeginsNoSegment() throws {
        var maker = Maker()
        maker.start(3)
        maker.poll(Array(1000..<1010))
        maker.start(2, accepted: false)
        maker.poll(Array(1010..<1020))
        maker.start(1)
        maker.poll([9000, 9100])
        let report = maker.report
        #expect(report.decoder.starts.map(\.isAccepted) == [true, false, true])
        #expect(report.segments.map(\.samples) == [20, 2])
        #expect(report.segments.map(\.startSeq) == [0, report.decoder.starts[2].seq])
    }

    @Test func cancelledReadsZeroLengthPacketsAndOtherEndpointsChangeNothing() throws {
        var plain = Maker()
        plain.start(3)
        plain.poll(Array(1000..<1022))
        plain.poll(Array(1022..<1050))
        var noisy = Maker()
        noisy.add(.in, [], status: -2)
        noisy.start(3)
        noisy.add(.in, Array(repeating: 0x41, count: 8), endpoint: 0x83, type: "int")
        noisy.poll(Array(1000..<1022))
        noisy.add(.in, [])
        noisy.add(.in, [0x41, 0, 0, 0], endpoint: 0x82)
        noisy.add(.in, [], status: -71)
        noisy.poll(Array(1022..<1050))
        let (a, b) = (plain.report, noisy.report)
        #expect(a.segments.first?.samples == b.segments.first?.samples)
        #expect(b.segments.first?.missing == 0)
        #expect(b.decoder.otherEndpointRows == 2)
        #expect(b.decoder.undecodable == 0)
        #expect(b.decoder.notes == ["2 rows on other endpoints were not decoded"])
    }

    @Test func shortReadsAreJoinedToReplies() throws {
        var maker = Maker()
        maker.start(3)
        for first in stride(from: 1000 as UInt32, to: 1200, by: 38) {
            maker.out(.getData([.adc, .adcQueue]))
            let reading = ADCReading(
                vbusMicrovolts: 1, ibusMicroamperes: 2, vbusAverageMicrovolts: 3, ibusAverageMicroamperes: 4,
                vbusUncalibratedAverage: 5, ibusUncalibratedAverage: 6)
            let frame = PutData(
                id: maker.id, authLevel: 1,
                contents: [.adc(reading), .adcQueue((first..<first + 38).map(Maker.sample))]
            ).bytes
            for at in stride(from: 0, to: frame.count, by: 64) {
                maker.add(.in, Array(frame[at..<min(at + 64, frame.count)]), buffer: 64)
            }
        }
        let report = maker.report
        #expect(report.decoder.undecodable == 0)
        #expect(report.queueSampleCount == 6 * 38)
        #expect(report.decoder.adc.count == 6)
        #expect(report.segments.first?.missing == 0)
    }

    @Test func logComesFromSplitMemoryBlocksAndSaysWhatIsMissing() throws {
        let samples =
            (0..<200).map {
                LogSample(
                    vbusMicrovolts: 5_000_000 + Int32($0), ibusMicroamperes: -$0, chargeMicroampereHours: $0,
                    energyMicrowattHours: 2 * $0)
            } as [LogSample]
        let memory = samples.flatMap(\.bytes)
        let range = MemoryRange(address: MemoryMap.logData + 64, size: UInt32(memory.count))
        let entry = LogEntry(
            name: "A02.d", sampleCount: 200, intervalMilliseconds: 500, durationSeconds: 100,
            chargeMicroampereHours: 0, energyMicrowattHours: 0, dataOffset: 64)
        func capture(_ keptBlocks: Int?) -> CaptureReport {
            var maker = Maker()
            maker.out(.getData(.logMetadata))
            maker.add(.in, PutData(id: maker.id, authLevel: 1, contents: [.logCatalogue([entry])]).bytes)
            maker.out(.memoryRead(range))
            maker.add(.in, MeterReply.memoryConfirmation(id: maker.id, range).bytes)
            // A host that reads 512 bytes at a time, and a cancelled read between.
            let cipherText = range.rawBlocks(of: memory).flatMap { $0 }
            var parts = stride(from: 0, to: cipherText.count, by: 512).map {
                Array(cipherText[$0..<min($0 + 512, cipherText.count)])
            }
            if let keptBlocks { parts = Array(parts.prefix(keptBlocks)) }
            for part in parts {
                maker.add(.in, part, buffer: 512)
                maker.add(.in, [], status: -2)
            }
            return maker.report
        }
        let whole = capture(nil)
        #expect(whole.decoder.logs.first?.samples == samples)
        #expect(whole.decoder.notes.isEmpty)
        let table = try #require(whole.files(includingPackets: false).first { $0.name == "log.csv" }).text
        #expect(table.contains("\n1,0.5,5000001,-1,1,2\n"))
        #expect(table.contains("\n2,1,5000002,-2,2,4\n"))
        let cut = capture(3)
        #expect(cut.decoder.logs.first?.samples == Array(samples.prefix(96)))
        #expect(cut.decoder.notes.count == 1)
    }

    @Test func damagedReplyIsCountedAndTheRestGoesOn() throws {
        var maker = Maker()
        maker.start(3)
        maker.poll(Array(1000..<1020))
        maker.poll(Array(1020..<1040))
        maker.rows[maker.rows.count - 1].data.removeLast(7)
        maker.poll(Array(1040..<1060))
        let report = maker.report
        #expect(report.decoder.undecodable == 1)
        #expect(report.segments.first?.missing == 20)
        #expect(report.summary.contains("\"undecodable_replies\": 1"))
    }

    // MARK: The file

    @Test func lineEndsBomColumnOrderAndExtraColumnsDoNotMatter() throws {
        let plain = String(decoding: try Fixtures.bytes("graph_2sps_v1.9.5.csv"), as: UTF8.self)
        let want = try CaptureFile(decoding: Array(plain.utf8), name: "a")
        let crlf = "\u{FEFF}" + plain.replacing("\n", with: "\r\n")
        #expect(try CaptureFile(decoding: Array(crlf.utf8), name: "a") == want)
        let reordered = plain.split(separator: "\n").map { line -> String in
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            let note = fields[0] == "seq" ? "note" : "x"
            return ([fields[9], fields[0]] + fields[1..<9] + [note[...]]).joined(separator: ",")
        }.joined(separator: "\n")
        #expect(try CaptureFile(decoding: Array(reordered.utf8), name: "a") == want)
        #expect(!reordered.hasSuffix("\n"), "a last line without line end is whole")
    }

    @Test func everyCutOfTheLastLineIsAnErrorOrLeavesAWholeRow() throws {
        let text = try Fixtures.bytes("peer_logger_v1.9.5.csv")
        let rows = try CaptureFile(decoding: text, name: "c.csv").rows
        let lastRowWithData = String(decoding: text, as: UTF8.self).split(separator: "\n").dropLast()
        let cut = Array(lastRowWithData.joined(separator: "\n").utf8)
        #expect(try CaptureFile(decoding: cut, name: "c.csv").rows == Array(rows.dropLast()))
        for length in cut.count - 100..<cut.count {
            let failure = #expect(throws: CaptureFailure.self) {
                try CaptureFile(decoding: Array(cut[..<length]), name: "c.csv")
            }
            #expect(failure?.description.contains("c.csv:61: ") == true)
        }
    }

    @Test(arguments: [
        ("", "1: the file is empty"), ("\n\n", "1: the file is empty"), ("a,b,c\n1,2,3\n", "1: no column seq"),
        ("seq,t_us,dir,ep,type,status,data_hex,seq\n", "1: column seq occurs twice"),
        ("seq,t_us,dir,ep,status,data_hex\n0,0,IN,0x81,0\n", "2: 5 fields where the header has 6"),
        ("seq,t_us,dir,ep,status,data_hex\n0,0,UP,0x81,0,00\n", "2: dir is \"UP\" where IN or OUT"),
        ("seq,t_us,dir,ep,status,data_hex\n0,0,IN,0x181,0,00\n", "2: ep is \"0x181\""),
        ("seq,t_us,dir,ep,status,data_hex\n0,x,IN,0x81,0,00\n", "2: t_us is \"x\""),
        ("seq,t_us,dir,ep,status,data_hex\n0,0,IN,0x81,0,0g\n", "2: data_hex is \"0g\""),
        ("seq,t_us,dir,ep,status,data_hex\n0,0,IN,0x81,0,001\n", "2: data_hex is \"001\" where an even number"),
        ("seq,t_us,dir,ep,status,data_len,data_hex\n0,0,IN,0x81,0,5,0011\n", "2: data_len says 5 bytes"),
    ])
    func badFilesAreRefusedWithFileAndLine(text: String, message: String) {
        let failure = #expect(throws: CaptureFailure.self) {
            try CaptureFile(decoding: Array(text.utf8), name: "f.csv")
        }
        #expect(failure?.description.hasPrefix("f.csv:" + message) == true, "\(failure?.description ?? "")")
    }

    @Test func emptyCaptureGivesAnEmptySummary() throws {
        let file = try CaptureFile(decoding: Array((CaptureRow.header + "\n").utf8), name: "f")
        let files = CaptureReport(rows: file.rows).files(includingPackets: false)
        #expect(files.map(\.name) == ["summary.json"])
        #expect(files.first?.text.contains("\"transfers\": 0") == true)
    }
}
