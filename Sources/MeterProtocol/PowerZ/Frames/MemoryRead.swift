/// What the harness may read from a meter's memory. Other addresses can crash a meter.
package enum MemoryMap {
    /// Model, hardware version, date.
    package static let hardwareInfo: UInt32 = 0x0000_0420
    /// Model, firmware version, date.
    package static let firmwareInfo: UInt32 = 0x0000_4420
    /// Text: serial, 32 hex digits, a number. Its first 12 bytes are the second credential tried.
    package static let serialText: UInt32 = 0x0300_0C00
    /// Hardware id, 12 bytes: the credential of auth level 1.
    package static let hardwareID: UInt32 = 0x4001_0450
    /// Calibration record; its first 12 bytes are the last credential tried.
    package static let calibrationRecord: UInt32 = 0x0300_0D80
    /// Start of the offline log memory.
    package static let logData: UInt32 = 0x9810_0000
    /// Bound of what is taken for log memory: our choice, no source gives its size.
    static let logDataEnd: UInt32 = 0x9910_0000
    static let largestLog: UInt32 = UInt32(UInt16.max) * UInt32(LogSample.size)

    /// True for the reads that captures and peers have shown to be harmless.
    package static func isReadable(address: UInt32, size: UInt32) -> Bool {
        guard size > 0 else { return false }
        return switch address {
        case hardwareInfo, firmwareInfo, serialText, calibrationRecord: size <= 64
        case hardwareID: size <= 12
        case logData..<logDataEnd:
            size <= largestLog && size.isMultiple(of: UInt32(LogSample.size)) && size <= logDataEnd - address
        default: false
        }
    }
}

/// A MEMORY_READ request, or its confirmation: address and size under a CRC-32.
package struct MemoryRange: Sendable, Equatable {
    package static let requestSize = 36
    package static let confirmationSize = 20
    /// Longest raw block that a meter sends in one transfer.
    package static let largestBlock = 2544
    static let cipher = AES128(key: "Lh2yfB7n6X7d9a5Z")

    package var address: UInt32
    package var size: UInt32

    package init(address: UInt32, size: UInt32) {
        self.address = address
        self.size = size
    }

    /// Address, size, four 0xFF, CRC-32 of those 12 bytes.
    private var block: [UInt8] {
        var out: [UInt8] = []
        out.append(little: address)
        out.append(little: size)
        out += [0xFF, 0xFF, 0xFF, 0xFF]
        out.append(little: CRC32.of(out))
        return out
    }

    private init(block b: [UInt8], part: String) throws(ProtocolFailure) {
        let computed = CRC32.of(b[0..<12])
        let stored: UInt32 = b.little(at: 12)
        guard stored == computed else { throw .checksum(part: part, expected: computed, found: stored) }
        self.init(address: b.little(at: 0), size: b.little(at: 4))
    }

    /// The 36-byte request with its second half encrypted.
    func requestBytes(id: UInt8) -> [UInt8] {
        DataHeader(type: .memoryRead, id: id, words: 4, isEncrypted: true).bytes
            + Self.cipher.encrypt(block + [UInt8](repeating: 0xFF, count: 16))
    }

    /// - Throws: `wrongLength`, or `checksum` where the bytes were not encrypted with the published key.
    init(request frame: [UInt8]) throws(ProtocolFailure) {
        guard frame.count == Self.requestSize else {
            throw .wrongLength(part: "MEMORY_READ request", expected: "\(Self.requestSize)", found: frame.count)
        }
        try self.init(block: Self.cipher.decrypt(frame[4...]), part: "MEMORY_READ request")
    }

    /// The 20-byte confirmation in the clear.
    func confirmationBytes(id: UInt8) -> [UInt8] {
        DataHeader(type: .memoryRead, id: id, words: 4, isExtended: true, isEncrypted: true).bytes + block
    }

    /// - Throws: `tooShort` or `checksum`.
    init(confirmation frame: [UInt8]) throws(ProtocolFailure) {
        guard frame.count >= Self.confirmationSize else {
            throw .tooShort(part: "MEMORY_READ confirmation", needed: Self.confirmationSize, found: frame.count)
        }
        try self.init(block: Array(frame[4..<Self.confirmationSize]), part: "MEMORY_READ confirmation")
    }

    /// Bytes of ciphertext that follow the confirmation: the size rounded up to whole cipher blocks.
    package var cipherLength: Int { (Int(size) + 15) / 16 * 16 }

    /// The memory, from the joined raw blocks.
    ///
    /// - Throws: `wrongLength` unless exactly `cipherLength` bytes came.
    package func decrypt(_ cipherText: [UInt8]) throws(ProtocolFailure) -> [UInt8] {
        guard cipherText.count == cipherLength else {
            throw .wrongLength(part: "memory at \(hex(address))", expected: "\(cipherLength)", found: cipherText.count)
        }
        return Array(Self.cipher.decrypt(cipherText).prefix(Int(size)))
    }

    /// The raw transfers that carry `memory` (padded with zeros): what a meter sends after its confirmation.
    /// A transfer whose length is a multiple of 64 is followed by a zero-length packet on the bus.
    package func rawBlocks(of memory: [UInt8]) -> [[UInt8]] {
        var plain = Array(memory.prefix(Int(size)))
        plain += [UInt8](repeating: 0, count: cipherLength - plain.count)
        let cipherText = Self.cipher.encrypt(plain)
        return stride(from: 0, to: cipherText.count, by: Self.largestBlock).map {
            Array(cipherText[$0..<min($0 + Self.largestBlock, cipherText.count)])
        }
    }
}

/// The texts at `MemoryMap.hardwareInfo` and `MemoryMap.firmwareInfo`: 64 bytes, three zero-ended fields.
package struct IdentityText: Sendable, Equatable {
    package static let size = 64
    /// Such as `KM003C`.
    package var model: String
    /// Hardware or firmware version, such as `1.9.5`.
    package var version: String
    /// As the meter writes it, such as `2025.1.7`.
    package var date: String

    package init(model: String, version: String, date: String) {
        self.model = model
        self.version = version
        self.date = date
    }

    /// - Throws: `tooShort` below 64 bytes.
    package init(decoding memory: [UInt8]) throws(ProtocolFailure) {
        guard memory.count >= Self.size else {
            throw .tooShort(part: "identity block", needed: Self.size, found: memory.count)
        }
        func text(_ range: Range<Int>) -> String {
            String(decoding: memory[range].prefix { $0 != 0 && $0 < 0x80 }, as: UTF8.self)
        }
        self.init(model: text(0x10..<0x1C), version: text(0x1C..<0x28), date: text(0x28..<0x34))
    }

    package var bytes: [UInt8] {
        var out = [UInt8](repeating: 0, count: Self.size)
        for (text, start) in [(model, 0x10), (version, 0x1C), (date, 0x28)] {
            let field = Array(text.utf8.prefix(11))
            out.replaceSubrange(start..<start + field.count, with: field)
        }
        return out
    }
}
