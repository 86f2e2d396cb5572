// The wire is little-endian everywhere; these are the only places that say so.

extension Collection where Element == UInt8, Index == Int {
    /// The integer whose bytes begin `offset` bytes after the start. The caller has checked the length.
    func little<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T {
        var value: T = 0
        for k in (0..<MemoryLayout<T>.size).reversed() {
            value = value << 8 | T(truncatingIfNeeded: self[startIndex + offset + k])
        }
        return value
    }
}

extension [UInt8] {
    /// Appends the bytes of `value`, lowest first.
    mutating func append<T: FixedWidthInteger>(little value: T) {
        for k in 0..<MemoryLayout<T>.size {
            append(UInt8(truncatingIfNeeded: value >> (8 * k)))
        }
    }

    /// Bytes as lower-case hex digits without separators, as captures write them.
    package var hexDigits: String {
        var text = ""
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(byte < 16 ? "0" : "")
            text += String(byte, radix: 16)
        }
        return text
    }

    /// Bytes of a string of hex digits; nil if the number of digits is odd or one of them is none.
    package init?(hexDigits text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            let nibble: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): nibble = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let top = high {
                bytes.append(top << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        self = bytes
    }
}
