/// Why bytes do not decode.
struct CodecFailure: Error, Equatable {
    var reason: String
}

/// Writes the bytes of one block (docs/run-file.md, section "Block codec").
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(contentsOf more: [UInt8]) { bytes.append(contentsOf: more) }

    /// LEB128: seven bits a byte, low bits first, bit 7 = more follows.
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Zigzag, then LEB128.
    mutating func appendSigned(_ value: Int64) {
        appendVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }
}

/// Reads what `ByteWriter` wrote; every step is bounds-checked because the bytes may come from a damaged disk.
struct ByteReader {
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func byte() throws(CodecFailure) -> UInt8 {
        guard position < bytes.count else { throw CodecFailure(reason: "the data end early") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func varint() throws(CodecFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63, next > 1 { throw CodecFailure(reason: "a number is longer than 64 bits") }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw CodecFailure(reason: "a number is longer than 64 bits") }
        }
    }

    mutating func signed() throws(CodecFailure) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// Returns the position of `count` bytes and steps over them.
    mutating func skip(_ count: Int) throws(CodecFailure) -> Int {
        guard count <= bytes.count - position else { throw CodecFailure(reason: "the data end early") }
        defer { position += count }
        return position
    }
}

/// Packs a column of integers: frame of reference or delta, in miniblocks of 64 with a bit width each.
///
/// Layout (docs/run-file.md): byte 0 = order (0 values, 1 differences); for order 1 the first value as signed varint;
/// then per miniblock of up to 64 numbers: signed varint (minimum − minimum of the miniblock before), byte width w
/// (0…56 or 64), and ceil(numbers × w / 8) bytes of (number − minimum), least significant bit first.
/// Arithmetic wraps at 64 bit, so any Int64 comes back.
enum ColumnCodec {
    static let miniblock = 64

    static func encode(_ values: [Int64], into writer: inout ByteWriter) {
        guard let first = values.first else { return }
        var plain = ByteWriter()
        plain.append(0)
        pack(values, into: &plain)
        var deltas = [Int64]()
        deltas.reserveCapacity(values.count)
        for k in values.indices.dropFirst() { deltas.append(values[k] &- values[k - 1]) }
        var differences = ByteWriter()
        differences.append(1)
        differences.appendSigned(first)
        pack(deltas, into: &differences)
        writer.append(contentsOf: differences.bytes.count < plain.bytes.count ? differences.bytes : plain.bytes)
    }

    static func decode(count: Int, from reader: inout ByteReader) throws(CodecFailure) -> [Int64] {
        guard count > 0 else { return [] }
        let order = try reader.byte()
        switch order {
        case 0: return try unpack(count: count, from: &reader)
        case 1:
            var value = try reader.signed()
            let deltas = try unpack(count: count - 1, from: &reader)
            var values = [Int64]()
            values.reserveCapacity(count)
            values.append(value)
            for delta in deltas {
                value &+= delta
                values.append(value)
            }
            return values
        default: throw CodecFailure(reason: "unknown column order \(order)")
        }
    }

    private static func pack(_ values: [Int64], into writer: inout ByteWriter) {
        var base: Int64 = 0
        var start = 0
        while start < values.count {
            let end = min(start + miniblock, values.count)
            var low = values[start]
            var high = low
            for k in start..<end {
                low = min(low, values[k])
                high = max(high, values[k])
            }
            writer.appendSigned(low &- base)
            base = low
            var width = UInt64.bitWidth - UInt64(bitPattern: high &- low).leadingZeroBitCount
            // Up to 56 bits the accumulator below never overflows (7 bits may be left over); wider goes as whole words.
            if width > 56 { width = 64 }
            writer.append(UInt8(width))
            if width == 64 {
                for k in start..<end {
                    let number = UInt64(bitPattern: values[k] &- low)
                    for shift in stride(from: UInt64(0), to: 64, by: 8) {
                        writer.append(UInt8(truncatingIfNeeded: number >> shift))
                    }
                }
            } else if width > 0 {
                var accumulator: UInt64 = 0
                var bits = 0
                for k in start..<end {
                    accumulator |= UInt64(bitPattern: values[k] &- low) << UInt64(bits)
                    bits += width
                    while bits >= 8 {
                        writer.append(UInt8(truncatingIfNeeded: accumulator))
                        accumulator >>= 8
                        bits -= 8
                    }
                }
                if bits > 0 { writer.append(UInt8(truncatingIfNeeded: accumulator)) }
            }
            start = end
        }
    }

    private static func unpack(count: Int, from reader: inout ByteReader) throws(CodecFailure) -> [Int64] {
        var values = [Int64]()
        values.reserveCapacity(min(count, 1 << 16))
        var base: Int64 = 0
        while values.count < count {
            let numbers = min(miniblock, count - values.count)
            base &+= try reader.signed()
            let width = Int(try reader.byte())
            guard width <= 56 || width == 64 else { throw CodecFailure(reason: "bit width \(width)") }
            if width == 0 {
                for _ in 0..<numbers { values.append(base) }
                continue
            }
            var position = try reader.skip((numbers * width + 7) / 8)
            let bytes = reader.bytes
            if width == 64 {
                for _ in 0..<numbers {
                    var number: UInt64 = 0
                    for shift in stride(from: UInt64(0), to: 64, by: 8) {
                        number |= UInt64(bytes[position]) << shift
                        position += 1
                    }
                    values.append(base &+ Int64(bitPattern: number))
                }
            } else {
                let mask = (UInt64(1) << UInt64(width)) - 1
                var accumulator: UInt64 = 0
                var bits = 0
                for _ in 0..<numbers {
                    while bits < width {
                        accumulator |= UInt64(bytes[position]) << UInt64(bits)
                        position += 1
                        bits += 8
                    }
                    values.append(base &+ Int64(bitPattern: accumulator & mask))
                    accumulator >>= UInt64(width)
                    bits -= width
                }
            }
        }
        return values
    }
}
