/// Header of a control frame (types 0x00 to 0x3F), 4 bytes:
/// bits 0..6 type, 7 extend, 8..15 id, 16 encrypted, 17..31 argument or attribute mask.
package struct ControlHeader: Sendable, Equatable {
    package static let size = 4
    package var type: FrameType
    package var isExtended: Bool
    package var id: UInt8
    package var isEncrypted: Bool
    /// 15 bits.
    package var argument: UInt16

    package init(type: FrameType, id: UInt8, argument: UInt16 = 0, isExtended: Bool = false, isEncrypted: Bool = false)
    {
        self.type = type
        self.id = id
        self.argument = argument & 0x7FFF
        self.isExtended = isExtended
        self.isEncrypted = isEncrypted
    }

    /// - Throws: `tooShort` below 4 bytes.
    package init(decoding bytes: some Collection<UInt8>) throws(ProtocolFailure) {
        let head = Array(bytes.prefix(Self.size))
        guard head.count == Self.size else {
            throw .tooShort(part: "frame header", needed: Self.size, found: head.count)
        }
        let upper: UInt16 = head.little(at: 2)
        self.init(
            type: FrameType(rawValue: head[0]), id: head[1], argument: upper >> 1, isExtended: head[0] & 0x80 != 0,
            isEncrypted: upper & 1 != 0)
    }

    package var bytes: [UInt8] {
        let upper = argument << 1 | (isEncrypted ? 1 : 0)
        return [type.rawValue | (isExtended ? 0x80 : 0), id, UInt8(truncatingIfNeeded: upper), UInt8(upper >> 8)]
    }
}

/// Header of a data frame (type 0x40 and above), 4 bytes: bits 0..6 type, 7 extend, 8..15 id, 16 encrypted,
/// 17..18 auth level of the session, 19..21 zero in every capture, 22..31 size word.
package struct DataHeader: Sendable, Equatable {
    package static let size = 4
    package var type: FrameType
    package var isExtended: Bool
    package var id: UInt8
    package var isEncrypted: Bool
    /// 0...3.
    package var authLevel: UInt8
    /// Bits 19..21, kept so that a frame can be written back as it came.
    package var reserved: UInt8
    /// 10 bits. A consistency check only, never a read length.
    package var words: UInt16

    package init(
        type: FrameType, id: UInt8, authLevel: UInt8 = 0, words: UInt16 = 0, isExtended: Bool = false,
        isEncrypted: Bool = false, reserved: UInt8 = 0
    ) {
        self.type = type
        self.id = id
        self.authLevel = authLevel & 3
        self.words = words & 0x3FF
        self.isExtended = isExtended
        self.isEncrypted = isEncrypted
        self.reserved = reserved & 7
    }

    /// - Throws: `tooShort` below 4 bytes.
    package init(decoding bytes: some Collection<UInt8>) throws(ProtocolFailure) {
        let head = Array(bytes.prefix(Self.size))
        guard head.count == Self.size else {
            throw .tooShort(part: "frame header", needed: Self.size, found: head.count)
        }
        let upper: UInt16 = head.little(at: 2)
        self.init(
            type: FrameType(rawValue: head[0]), id: head[1], authLevel: UInt8(upper >> 1 & 3), words: upper >> 6,
            isExtended: head[0] & 0x80 != 0, isEncrypted: upper & 1 != 0, reserved: UInt8(upper >> 3 & 7))
    }

    package var bytes: [UInt8] {
        let upper = words << 6 | UInt16(reserved) << 3 | UInt16(authLevel) << 1 | (isEncrypted ? 1 : 0)
        return [type.rawValue | (isExtended ? 0x80 : 0), id, UInt8(truncatingIfNeeded: upper), UInt8(upper >> 8)]
    }

    /// Size word that the meter puts into a PUT_DATA frame of `length` bytes.
    ///
    /// `length / 4 - 3` modulo 1024 and 0 in a bare header; one less where the length is a multiple of 16, which holds
    /// for all 40 such replies in the captures and for none of the other 2992.
    package static func putDataWords(frameLength length: Int) -> UInt16 {
        guard length > size else { return 0 }
        return UInt16(truncatingIfNeeded: length / 4 - (length.isMultiple(of: 16) ? 4 : 3)) & 0x3FF
    }
}

/// Header of one logical payload inside PUT_DATA, 4 bytes: bits 0..14 attribute, 15 next, 16..21 chunk, 22..31 size.
package struct ExtendedHeader: Sendable, Equatable {
    package static let size = 4
    /// 15 bits; one attribute, not a mask.
    package var attribute: UInt16
    /// Another extended header follows this payload.
    package var hasNext: Bool
    /// AdcQueue: number of samples, 0...63; otherwise 0.
    package var chunk: UInt8
    /// Payload bytes; AdcQueue: bytes of one sample. 10 bits.
    package var sizeField: UInt16

    package init(attribute: UInt16, hasNext: Bool, chunk: UInt8 = 0, sizeField: UInt16) {
        self.attribute = attribute & 0x7FFF
        self.hasNext = hasNext
        self.chunk = chunk & 0x3F
        self.sizeField = sizeField & 0x3FF
    }

    init(word: UInt32) {
        self.init(
            attribute: UInt16(truncatingIfNeeded: word), hasNext: word & 0x8000 != 0,
            chunk: UInt8(truncatingIfNeeded: word >> 16), sizeField: UInt16(truncatingIfNeeded: word >> 22))
    }

    var word: UInt32 {
        UInt32(attribute) | (hasNext ? 0x8000 : 0) | UInt32(chunk) << 16 | UInt32(sizeField) << 22
    }

    /// Bytes of payload that follow this header.
    package var payloadLength: Int {
        attribute == Attributes.adcQueue.rawValue ? Int(chunk) * Int(sizeField) : Int(sizeField)
    }
}
