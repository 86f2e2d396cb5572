/// The Settings payload (attribute 8), 180 bytes in two blocks with a CRC-32 each. Read only.
package struct MeterSettings: Sendable, Equatable {
    package static let size = 180
    private static let endOfA = 0x5C
    private static let startOfB = 0x60
    private static let endOfB = 0xB0

    /// The bytes as received; the two CRCs have been checked.
    package let raw: [UInt8]

    /// - Throws: `wrongLength` unless 180 bytes; `checksum` naming the block that is damaged.
    package init(decoding payload: some Collection<UInt8>) throws(ProtocolFailure) {
        let b = Array(payload)
        guard b.count == Self.size else {
            throw .wrongLength(part: "Settings payload", expected: "\(Self.size)", found: b.count)
        }
        for (name, range) in [("A", 0..<Self.endOfA), ("B", Self.startOfB..<Self.endOfB)] {
            let computed = CRC32.of(b[range])
            let stored: UInt32 = b.little(at: range.upperBound)
            guard stored == computed else {
                throw .checksum(part: "Settings block \(name)", expected: computed, found: stored)
            }
        }
        raw = b
    }

    /// Settings of an emulated meter: factory-like values, CRCs computed.
    package init(sampleIntervalMicroseconds: UInt16 = 10000, name: String = "POWER-Z") {
        var b = [UInt8](repeating: 0, count: Self.size)
        func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
            var bytes: [UInt8] = []
            bytes.append(little: value)
            b.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        put(UInt32(0xF850_0161), 0)
        put(sampleIntervalMicroseconds, 8)
        for k in 0..<10 { put(UInt32(1_002_221), 0x30 + 4 * k) }
        put(UInt32(0x43), 0x60)
        let text = Array(name.utf8.prefix(63))
        b.replaceSubrange(0x70..<0x70 + text.count, with: text)
        put(CRC32.of(b[0..<Self.endOfA]), Self.endOfA)
        put(CRC32.of(b[Self.startOfB..<Self.endOfB]), Self.endOfB)
        raw = b
    }

    package var flags: UInt32 { raw.little(at: 0) }
    /// The meter says that it has no factory calibration (bit 2, by one peer's reading; clear in every capture).
    package var isUncalibrated: Bool { flags & 4 != 0 }
    package var sampleIntervalMicroseconds: UInt16 { raw.little(at: 8) }
    /// Name shown by the meter, up to the first zero byte.
    package var deviceName: String { String(decoding: raw[0x70..<0xB0].prefix { $0 != 0 }, as: UTF8.self) }
}
