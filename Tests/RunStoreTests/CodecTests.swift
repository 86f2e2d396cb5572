import Testing
import Traces

@testable import RunStore

@Suite struct CodecTests {
    @Test func theChecksumIsThatOfZlib() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        let long = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let split = CRC32.checksum(Array(long[333...]), continuing: CRC32.checksum(Array(long[..<333])))
        #expect(split == CRC32.checksum(long))
    }

    @Test func anyColumnOfIntegersComesBack() throws {
        var generator = SeededGenerator(seed: 1)
        for round in 0..<300 {
            let width = Int.random(in: 0...64, using: &generator)
            let count = Int.random(in: 1...200, using: &generator)
            var value: Int64 = 0
            let values: [Int64] = (0..<count).map { _ in
                let step = width == 0 ? 0 : Int64(bitPattern: generator.next() >> UInt64(64 - width))
                value = round % 2 == 0 ? step : value &+ step
                return value
            }
            var writer = ByteWriter()
            ColumnCodec.encode(values, into: &writer)
            var reader = ByteReader(writer.bytes)
            #expect(try ColumnCodec.decode(count: count, from: &reader) == values)
            #expect(reader.isAtEnd)
        }
    }

    @Test func theBytesOfAColumnAreThoseOfTheDocument() {
        // docs/run-file.md, "Block codec": order 0, minimum 7, two bits each.
        var writer = ByteWriter()
        ColumnCodec.encode([7, 8, 10], into: &writer)
        #expect(writer.bytes == [0, 14, 2, 0b11_01_00])
        var steps = ByteWriter()
        ColumnCodec.encode(Array(1000..<1064), into: &steps)
        #expect(steps.bytes == [1, 0xD0, 0x0F, 2, 0])
    }

    @Test func aBlockComesBackAsReceivedInFewBytes() throws {
        let replies = makeReplies(meter: "A", samples: 1000, seed: 2)
        let bytes = BlockCodec.encode(replies)
        let back = try BlockCodec.decode(bytes, meter: "A", epoch: 0, expectedSamples: 1000)
        #expect(back == replies)
        #expect(Double(bytes.count) / 1000 < 7)
    }

    @Test func extremeValuesComeBack() throws {
        let samples = [
            Sample(
                uptimeMilliseconds: .min, vbusMicrovolts: .min, ibusMicroamperes: .max, cc1: .max, cc2: 0, dPlus: .max,
                dMinus: 0),
            Sample(
                uptimeMilliseconds: .max, vbusMicrovolts: .max, ibusMicroamperes: .min, cc1: 0, cc2: .max, dPlus: 0,
                dMinus: .max),
        ]
        let replies = [
            SampleBlock(
                meter: "é", epoch: 3, requestedAtNanoseconds: .min, completedAtNanoseconds: .max, samples: samples)
        ]
        let bytes = BlockCodec.encode(replies)
        #expect(try BlockCodec.decode(bytes, meter: "é", epoch: 3, expectedSamples: 2) == replies)
    }

    @Test func damagedBytesNeverTrapAndNeverPassTheChecksum() {
        var generator = SeededGenerator(seed: 3)
        let replies = makeReplies(meter: "A", samples: 500, seed: 4)
        let bytes = BlockCodec.encode(replies)
        let crc = BlockCodec.checksum(meter: "A", epoch: 0, samples: 500, first: 1, last: 2, bytes: bytes)
        for _ in 0..<3000 {
            var bad = bytes
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bad.removeLast(Int.random(in: 1...bad.count, using: &generator))
            case 1: bad.append(UInt8.random(in: 0...255, using: &generator))
            case 2:
                bad = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            default:
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bad.count, using: &generator)
                    bad[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                }
            }
            if bad == bytes { continue }
            #expect(BlockCodec.checksum(meter: "A", epoch: 0, samples: 500, first: 1, last: 2, bytes: bad) != crc)
            // Whatever it answers, it answers with a value or the one error it declares.
            _ = try? BlockCodec.decode(bad, meter: "A", epoch: 0, expectedSamples: 500)
            _ = try? PyramidCodec.decode(bad, buckets: 100)
        }
    }
}
