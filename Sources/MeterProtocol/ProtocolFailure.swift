/// Why bytes could not be read as a frame, or a frame may not be sent. Each case reads as a sentence for a technician.
package enum ProtocolFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Fewer bytes than the named part needs.
    case tooShort(part: String, needed: Int, found: Int)
    /// A length that the named part cannot have.
    case wrongLength(part: String, expected: String, found: Int)
    /// A field holds a value that the protocol does not allow there.
    case wrongField(part: String, field: String, expected: String, found: String)
    /// A CRC-32 of the named part does not match its bytes.
    case checksum(part: String, expected: UInt32, found: UInt32)
    /// The frame may not be sent: it could alter the meter or the power path, or nobody knows what it does.
    case refused(type: UInt8, why: String)

    package var description: String {
        switch self {
        case .tooShort(let part, let needed, let found):
            "\(part) needs at least \(needed) bytes, \(found) arrived: the reply was cut short"
        case .wrongLength(let part, let expected, let found):
            "\(part) has \(found) bytes where \(expected) are expected"
        case .wrongField(let part, let field, let expected, let found):
            "\(part): \(field) is \(found) where \(expected) is expected"
        case .checksum(let part, let expected, let found):
            "\(part): checksum \(hex(found)) does not fit the bytes (\(hex(expected))): damaged on the way"
        case .refused(let type, let why):
            "frame of type \(hex(type)) is not sent: \(why)"
        }
    }
}

/// `0x…` with the full width of the type, as the notes and captures write it.
package func hex<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, T.bitWidth / 4 - digits.count)) + digits
}
