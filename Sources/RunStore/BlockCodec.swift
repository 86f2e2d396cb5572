package import Traces

/// The replies that share one row of table `block`: about a second of one meter in one epoch, as received.
package struct StoredBlock: Sendable, Equatable {
    package var meter: String
    package var epoch: Int
    /// Not empty, in the order received; all of one meter and epoch.
    package var replies: [SampleBlock]

    package init(meter: String, epoch: Int, replies: [SampleBlock]) {
        self.meter = meter
        self.epoch = epoch
        self.replies = replies
    }

    package var sampleCount: Int { replies.reduce(0) { $0 + $1.samples.count } }
}

/// Bytes of a row of table `block`; the layout is in docs/run-file.md, section "Block codec".
enum BlockCodec {
    /// First byte of every block.
    static let version: UInt8 = 1
    /// More samples than this in one row is a damaged row.
    static let sampleLimit = 1 << 20

    static func encode(_ replies: [SampleBlock]) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(version)
        writer.appendVarint(UInt64(replies.count))
        ColumnCodec.encode(replies.map { Int64($0.samples.count) }, into: &writer)
        ColumnCodec.encode(replies.map(\.requestedAtNanoseconds), into: &writer)
        ColumnCodec.encode(replies.map { $0.completedAtNanoseconds &- $0.requestedAtNanoseconds }, into: &writer)
        var column = [Int64]()
        column.reserveCapacity(replies.reduce(0) { $0 + $1.samples.count })
        func put(_ value: (Sample) -> Int64) {
            column.removeAll(keepingCapacity: true)
            for reply in replies { for sample in reply.samples { column.append(value(sample)) } }
            ColumnCodec.encode(column, into: &writer)
        }
        put { $0.uptimeMilliseconds }
        put { Int64($0.vbusMicrovolts) }
        put { Int64($0.ibusMicroamperes) }
        put { Int64($0.cc1) }
        put { Int64($0.cc2) }
        put { Int64($0.dPlus) }
        put { Int64($0.dMinus) }
        return writer.bytes
    }

    static func decode(
        _ bytes: [UInt8], meter: String, epoch: Int, expectedSamples: Int
    ) throws(CodecFailure) -> [SampleBlock] {
        var reader = ByteReader(bytes)
        let (counts, requested, took) = try header(&reader, expectedSamples: expectedSamples)
        let replies = counts.count
        let uptime = try ColumnCodec.decode(count: expectedSamples, from: &reader)
        let vbus = try column(Int32.self, "V", expectedSamples, &reader)
        let ibus = try column(Int32.self, "I", expectedSamples, &reader)
        let cc1 = try column(UInt16.self, "CC1", expectedSamples, &reader)
        let cc2 = try column(UInt16.self, "CC2", expectedSamples, &reader)
        let dPlus = try column(UInt16.self, "D+", expectedSamples, &reader)
        let dMinus = try column(UInt16.self, "D-", expectedSamples, &reader)
        guard reader.isAtEnd else { throw CodecFailure(reason: "bytes left over at the end") }
        var blocks = [SampleBlock]()
        blocks.reserveCapacity(replies)
        var k = 0
        for reply in 0..<replies {
            var samples = [Sample]()
            samples.reserveCapacity(Int(counts[reply]))
            for _ in 0..<Int(counts[reply]) {
                samples.append(
                    Sample(
                        uptimeMilliseconds: uptime[k], vbusMicrovolts: vbus[k], ibusMicroamperes: ibus[k], cc1: cc1[k],
                        cc2: cc2[k], dPlus: dPlus[k], dMinus: dMinus[k]))
                k += 1
            }
            blocks.append(
                SampleBlock(
                    meter: meter, epoch: epoch, requestedAtNanoseconds: requested[reply],
                    completedAtNanoseconds: requested[reply] &+ took[reply], samples: samples))
        }
        return blocks
    }

    /// CRC of a row: its identity as text, then its bytes, so that a block moved to another meter or epoch is found.
    static func checksum(meter: String, epoch: Int, samples: Int, first: Int64, last: Int64, bytes: [UInt8]) -> UInt32 {
        let identity = Array("\(meter)|\(epoch)|\(samples)|\(first)|\(last)|".utf8)
        return CRC32.checksum(bytes, continuing: CRC32.checksum(identity))
    }

    private static func column<Number: FixedWidthInteger>(
        _: Number.Type, _ name: String, _ count: Int, _ reader: inout ByteReader
    ) throws(CodecFailure) -> [Number] {
        let wide = try ColumnCodec.decode(count: count, from: &reader)
        var narrow = [Number]()
        narrow.reserveCapacity(count)
        for value in wide {
            guard let number = Number(exactly: value) else {
                throw CodecFailure(reason: "\(name) of \(value) does not fit its field")
            }
            narrow.append(number)
        }
        return narrow
    }
}

/// When one reply came and which sample it ended with: a clock pair between a meter and the host.
package struct ReplyTime: Sendable, Equatable {
    package var requestedAtNanoseconds: Int64
    package var completedAtNanoseconds: Int64
    package var samples: Int
    /// Uptime of the newest sample of the reply, ms.
    package var lastUptimeMilliseconds: Int64
}

extension BlockCodec {
    /// The times of a row's replies, without its values: a third of the work of `decode`.
    static func decodeTimes(_ bytes: [UInt8], expectedSamples: Int) throws(CodecFailure) -> [ReplyTime] {
        var reader = ByteReader(bytes)
        let head = try header(&reader, expectedSamples: expectedSamples)
        let uptime = try ColumnCodec.decode(count: expectedSamples, from: &reader)
        var last = -1
        return head.counts.indices.map { reply in
            last += Int(head.counts[reply])
            return ReplyTime(
                requestedAtNanoseconds: head.requested[reply],
                completedAtNanoseconds: head.requested[reply] &+ head.took[reply], samples: Int(head.counts[reply]),
                lastUptimeMilliseconds: uptime[last])
        }
    }

    fileprivate static func header(
        _ reader: inout ByteReader, expectedSamples: Int
    ) throws(CodecFailure) -> (counts: [Int64], requested: [Int64], took: [Int64]) {
        let found = try reader.byte()
        guard found == version else { throw CodecFailure(reason: "block codec \(found) instead of \(version)") }
        let replyCount = try reader.varint()
        guard expectedSamples > 0, expectedSamples <= sampleLimit, replyCount > 0, replyCount <= expectedSamples else {
            throw CodecFailure(reason: "\(replyCount) replies with \(expectedSamples) samples")
        }
        let replies = Int(replyCount)
        let counts = try ColumnCodec.decode(count: replies, from: &reader)
        var total: Int64 = 0
        for count in counts {
            guard count > 0, count <= Int64(sampleLimit) else {
                throw CodecFailure(reason: "a reply of \(count) samples")
            }
            total += count
        }
        guard total == Int64(expectedSamples) else {
            throw CodecFailure(reason: "\(total) samples where the row says \(expectedSamples)")
        }
        let requested = try ColumnCodec.decode(count: replies, from: &reader)
        let took = try ColumnCodec.decode(count: replies, from: &reader)
        return (counts, requested, took)
    }
}
