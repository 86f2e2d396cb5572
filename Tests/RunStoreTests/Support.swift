import Foundation
import Traces

@testable import RunStore

/// SplitMix64: the same numbers on every machine for one seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A normal deviate (Box and Muller).
    mutating func normal() -> Double {
        let u = max(Double.leastNonzeroMagnitude, Double.random(in: 0..<1, using: &self))
        return (-2 * log(u)).squareRoot() * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
    }
}

/// A folder that goes away with the value's owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/runstore-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Replies of one meter at 1 kHz, 20 to 40 samples each: a board that idles at 2.7 W and now and then works at 5.6 W,
/// with the noise of a real meter.
func makeReplies(
    meter: String, epoch: Int = 0, from uptime: Int64 = 10_000, samples count: Int, seed: UInt64
) -> [SampleBlock] {
    var generator = SeededGenerator(seed: seed)
    var replies: [SampleBlock] = []
    var at = uptime
    let end = uptime + Int64(count)
    while at < end {
        let length = min(Int64.random(in: 20...40, using: &generator), end - at)
        let samples = (0..<length).map { k in
            let time = at + k
            let amperes = (time / 3000) % 3 == 2 ? 1_120_000.0 : 540_000.0
            return Sample(
                uptimeMilliseconds: time, vbusMicrovolts: Int32(5_080_000 + 1000 * generator.normal()),
                ibusMicroamperes: Int32(amperes + 2000 * generator.normal()),
                cc1: UInt16(74 + Int.random(in: -3...3, using: &generator)),
                cc2: UInt16(3235 + Int.random(in: -2...2, using: &generator)),
                dPlus: UInt16(Int.random(in: 0...3, using: &generator)),
                dMinus: UInt16(Int.random(in: 0...3, using: &generator)))
        }
        at += length
        let completed = at * 1_000_000 + Int64.random(in: 100_000...900_000, using: &generator)
        replies.append(
            SampleBlock(
                meter: meter, epoch: epoch,
                requestedAtNanoseconds: completed - Int64.random(in: 200_000...400_000, using: &generator),
                completedAtNanoseconds: completed, samples: samples))
    }
    return replies
}

func testMeter(_ serial: String) -> MeterRecord {
    MeterRecord(
        serial: serial, portPath: "1-1.2", product: "POWER-Z KM003C", model: "KM003C", protocolStatus: .verified,
        isVirtual: true, firmware: "1.9.9", hardware: "2.1", board: "edge-0")
}

/// All replies of a meter that can be read, and the holes.
func readAll(_ reader: RunReader, _ serial: String) throws -> (replies: [SampleBlock], holes: [(Gap, RunStoreError)]) {
    var replies: [SampleBlock] = []
    var holes: [(Gap, RunStoreError)] = []
    var rows = try reader.blocks(of: serial)
    while let item = try rows.next() {
        switch item {
        case .block(let block): replies += block.replies
        case .corrupt(let gap, let error): holes.append((gap, error))
        }
    }
    return (replies, holes)
}

/// A writer that commits only when told to.
let onlyWhenTold = RunWriter.Settings(commitInterval: 1, hostClockIsMonotonic: false)
