import Traces

/// The levels of the min/mean/max/std pyramid of a run.
package enum PyramidLevel: Int, Sendable, CaseIterable {
    case tenthSecond = 0
    case tenSeconds = 1
    case thousandSeconds = 2

    /// Width of a bucket, ms of the meter's own clock.
    package var widthMilliseconds: Int64 {
        switch self {
        case .tenthSecond: 100
        case .tenSeconds: 10_000
        case .thousandSeconds: 1_000_000
        }
    }

    /// Buckets in one row of table `pyramid`, and buckets of one level in one of the next.
    package static let fanOut: Int64 = 100
}

/// Builds the pyramid of one meter in one epoch from its samples in order. Pure; emits rows when they are full.
struct PyramidBuilder {
    /// One row of table `pyramid`: the buckets whose index divided by the fan-out is `chunk`.
    struct Chunk: Sendable, Equatable {
        var level: PyramidLevel
        var chunk: Int64
        var isComplete: Bool
        var buckets: [SummaryBucket]
    }

    private var collector: BucketCollector?
    private var collectorEnd: Int64 = .min
    /// The bucket being joined at level 1 and 2 (position 0 is not used: there `collector` does the work).
    private var growing: [SummaryBucket?]
    private var open: [[SummaryBucket]]
    private var done: [Chunk] = []

    init() {
        let levels = PyramidLevel.allCases.count
        growing = [SummaryBucket?](repeating: nil, count: levels)
        open = [[SummaryBucket]](repeating: [], count: levels)
    }

    mutating func add(_ sample: Sample) {
        let width = PyramidLevel.tenthSecond.widthMilliseconds
        if collector != nil, sample.uptimeMilliseconds < collectorEnd,
            sample.uptimeMilliseconds >= collectorEnd - width
        {
            collector?.add(sample)
            return
        }
        if let finished = collector { close(finished.bucket, level: .tenthSecond) }
        let index = floorDivide(sample.uptimeMilliseconds, width)
        collector = BucketCollector(index: index, sample: sample)
        // Outside data may carry any uptime; the end of the last bucket saturates instead of trapping.
        let (end, overflow) = (index + 1).multipliedReportingOverflow(by: width)
        collectorEnd = overflow ? .max : end
    }

    /// Takes a bucket that is stored already at `level` and must only count for the levels above.
    mutating func addStored(_ bucket: SummaryBucket, level: PyramidLevel) { raise(bucket, from: level) }

    /// Full rows since the last call.
    mutating func takeCompleted() -> [Chunk] {
        defer { done = [] }
        return done
    }

    /// Ends all growing buckets and gives the rest as rows marked incomplete, after the completed ones.
    mutating func finish() -> [Chunk] {
        if let finished = collector { close(finished.bucket, level: .tenthSecond) }
        collector = nil
        for level in PyramidLevel.allCases.dropFirst() {
            if let bucket = growing[level.rawValue] {
                growing[level.rawValue] = nil
                close(bucket, level: level)
            }
        }
        var chunks = takeCompleted()
        for level in PyramidLevel.allCases {
            if let first = open[level.rawValue].first {
                chunks.append(
                    Chunk(
                        level: level, chunk: floorDivide(first.index, PyramidLevel.fanOut), isComplete: false,
                        buckets: open[level.rawValue]))
                open[level.rawValue] = []
            }
        }
        return chunks
    }

    private mutating func close(_ bucket: SummaryBucket, level: PyramidLevel) {
        let chunk = floorDivide(bucket.index, PyramidLevel.fanOut)
        if let first = open[level.rawValue].first {
            let current = floorDivide(first.index, PyramidLevel.fanOut)
            if current != chunk {
                done.append(Chunk(level: level, chunk: current, isComplete: true, buckets: open[level.rawValue]))
                open[level.rawValue] = []
            }
        }
        open[level.rawValue].append(bucket)
        raise(bucket, from: level)
    }

    private mutating func raise(_ bucket: SummaryBucket, from level: PyramidLevel) {
        guard let upper = PyramidLevel(rawValue: level.rawValue + 1) else { return }
        let index = floorDivide(bucket.index, PyramidLevel.fanOut)
        if growing[upper.rawValue]?.index == index {
            growing[upper.rawValue]?.join(bucket)
            return
        }
        if let finished = growing[upper.rawValue] { close(finished, level: upper) }
        var fresh = bucket
        fresh.index = index
        growing[upper.rawValue] = fresh
    }
}

/// Division that rounds towards minus infinity.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}

/// Bytes of a row of table `pyramid`; the layout is in docs/run-file.md, section "Pyramid codec".
enum PyramidCodec {
    static let version: UInt8 = 1

    static func encode(_ buckets: [SummaryBucket]) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(version)
        ColumnCodec.encode(buckets.map(\.index), into: &writer)
        ColumnCodec.encode(buckets.map { Int64($0.count) }, into: &writer)
        for channel in [\SummaryBucket.vbusMicrovolts, \.ibusMicroamperes, \.powerMicrowatts] {
            let summaries = buckets.map { $0[keyPath: channel] }
            for value in [\ChannelSummary.minimum, \.mean, \.maximum, \.standardDeviation] {
                ColumnCodec.encode(summaries.map { Int64($0[keyPath: value].rounded()) }, into: &writer)
            }
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8], buckets count: Int) throws(CodecFailure) -> [SummaryBucket] {
        var reader = ByteReader(bytes)
        let found = try reader.byte()
        guard found == version else { throw CodecFailure(reason: "pyramid codec \(found) instead of \(version)") }
        guard count > 0, count <= Int(PyramidLevel.fanOut) * 2 else { throw CodecFailure(reason: "\(count) buckets") }
        let index = try ColumnCodec.decode(count: count, from: &reader)
        let counts = try ColumnCodec.decode(count: count, from: &reader)
        var columns: [[Int64]] = []
        for _ in 0..<12 { columns.append(try ColumnCodec.decode(count: count, from: &reader)) }
        guard reader.isAtEnd else { throw CodecFailure(reason: "bytes left over at the end") }
        var buckets = [SummaryBucket]()
        for k in 0..<count {
            guard counts[k] > 0, counts[k] <= Int64(Int32.max) else {
                throw CodecFailure(reason: "a bucket of \(counts[k]) samples")
            }
            func channel(_ at: Int) -> ChannelSummary {
                ChannelSummary(
                    minimum: Double(columns[at][k]), mean: Double(columns[at + 1][k]),
                    maximum: Double(columns[at + 2][k]),
                    standardDeviation: Double(columns[at + 3][k]))
            }
            buckets.append(
                SummaryBucket(
                    index: index[k], count: Int(counts[k]), vbusMicrovolts: channel(0), ibusMicroamperes: channel(4),
                    powerMicrowatts: channel(8)))
        }
        return buckets
    }

    static func checksum(meter: String, epoch: Int, level: Int, chunk: Int64, bytes: [UInt8]) -> UInt32 {
        CRC32.checksum(bytes, continuing: CRC32.checksum(Array("\(meter)|\(epoch)|\(level)|\(chunk)|".utf8)))
    }
}
