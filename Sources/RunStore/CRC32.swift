/// CRC-32 as in zlib, PNG and Python's `zlib.crc32`: reflected polynomial 0xEDB88320, initial and final value all ones.
enum CRC32 {
    /// Eight tables for eight bytes a step (slicing by 8).
    private static let tables: [[UInt32]] = {
        var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
        for n in 0..<256 {
            var value = UInt32(n)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
            tables[0][n] = value
        }
        for n in 0..<256 {
            for k in 1..<8 {
                let before = tables[k - 1][n]
                tables[k][n] = (before >> 8) ^ tables[0][Int(before & 0xFF)]
            }
        }
        return tables
    }()

    /// CRC of `bytes`, continuing from the CRC of what came before.
    static func checksum(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, continuing: previous) }
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        var crc = ~previous
        var index = 0
        let t = tables
        while index + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
            crc =
                t[7][Int(word & 0xFF)] ^ t[6][Int(word >> 8 & 0xFF)] ^ t[5][Int(word >> 16 & 0xFF)]
                ^ t[4][Int(word >> 24 & 0xFF)] ^ t[3][Int(word >> 32 & 0xFF)] ^ t[2][Int(word >> 40 & 0xFF)]
                ^ t[1][Int(word >> 48 & 0xFF)] ^ t[0][Int(word >> 56)]
            index += 8
        }
        while index < bytes.count {
            crc = (crc >> 8) ^ t[0][Int((crc ^ UInt32(bytes[index])) & 0xFF)]
            index += 1
        }
        return ~crc
    }
}
