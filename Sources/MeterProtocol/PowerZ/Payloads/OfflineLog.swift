/// One entry of the offline log catalogue (attribute 0x200), 48 bytes.
package struct LogEntry: Sendable, Equatable {
    package static let size = 48
    private static let nameSize = 16

    /// Such as `A01.d`.
    package var name: String
    package var unknown: UInt16
    package var sampleCount: UInt16
    package var intervalMilliseconds: UInt16
    package var flags: UInt16
    package var durationSeconds: UInt32
    package var chargeMicroampereHours: Int32
    package var energyMicrowattHours: Int32
    /// Offset of the samples from the start of log memory.
    package var dataOffset: UInt32

    package init(
        name: String, unknown: UInt16 = 0, sampleCount: UInt16, intervalMilliseconds: UInt16, flags: UInt16 = 0,
        durationSeconds: UInt32, chargeMicroampereHours: Int32, energyMicrowattHours: Int32, dataOffset: UInt32
    ) {
        self.name = name
        self.unknown = unknown
        self.sampleCount = sampleCount
        self.intervalMilliseconds = intervalMilliseconds
        self.flags = flags
        self.durationSeconds = durationSeconds
        self.chargeMicroampereHours = chargeMicroampereHours
        self.energyMicrowattHours = energyMicrowattHours
        self.dataOffset = dataOffset
    }

    /// - Throws: `tooShort` below 48 bytes.
    package init(decoding bytes: some Collection<UInt8>) throws(ProtocolFailure) {
        let b = Array(bytes.prefix(Self.size))
        guard b.count == Self.size else { throw .tooShort(part: "log entry", needed: Self.size, found: b.count) }
        self.init(
            name: String(decoding: b.prefix(Self.nameSize).prefix { $0 != 0 }, as: UTF8.self),
            unknown: b.little(at: 16),
            sampleCount: b.little(at: 18), intervalMilliseconds: b.little(at: 20), flags: b.little(at: 22),
            durationSeconds: b.little(at: 24), chargeMicroampereHours: b.little(at: 28),
            energyMicrowattHours: b.little(at: 32), dataOffset: b.little(at: 36))
    }

    /// All entries of a catalogue payload; an empty payload is an empty catalogue.
    ///
    /// - Throws: `wrongLength` unless the payload is a whole number of entries.
    package static func decodeCatalogue(_ payload: some Collection<UInt8>) throws(ProtocolFailure) -> [LogEntry] {
        guard payload.count.isMultiple(of: size) else {
            throw .wrongLength(part: "log catalogue", expected: "a multiple of \(size)", found: payload.count)
        }
        let b = Array(payload)
        var entries: [LogEntry] = []
        for start in stride(from: 0, to: b.count, by: size) { entries.append(try LogEntry(decoding: b[start...])) }
        return entries
    }

    package var bytes: [UInt8] {
        var out = Array(name.utf8.prefix(Self.nameSize))
        out += [UInt8](repeating: 0, count: Self.nameSize - out.count)
        for value in [unknown, sampleCount, intervalMilliseconds, flags] { out.append(little: value) }
        out.append(little: durationSeconds)
        out.append(little: chargeMicroampereHours)
        out.append(little: energyMicrowattHours)
        out.append(little: dataOffset)
        return out + [UInt8](repeating: 0, count: Self.size - out.count)
    }
}

/// One sample of an offline log, 16 bytes, read as memory at `MemoryMap.logData`.
package struct LogSample: Sendable, Equatable {
    package static let size = 16
    package var vbusMicrovolts: Int32
    package var ibusMicroamperes: Int32
    /// Running sums since the log began.
    package var chargeMicroampereHours: Int32
    package var energyMicrowattHours: Int32

    package init(
        vbusMicrovolts: Int32, ibusMicroamperes: Int32, chargeMicroampereHours: Int32, energyMicrowattHours: Int32
    ) {
        self.vbusMicrovolts = vbusMicrovolts
        self.ibusMicroamperes = ibusMicroamperes
        self.chargeMicroampereHours = chargeMicroampereHours
        self.energyMicrowattHours = energyMicrowattHours
    }

    /// All whole samples in decrypted log memory. - Throws: `wrongLength` unless whole.
    package static func decode(_ memory: [UInt8]) throws(ProtocolFailure) -> [LogSample] {
        guard memory.count.isMultiple(of: size) else {
            throw .wrongLength(part: "log data", expected: "a multiple of \(size)", found: memory.count)
        }
        return stride(from: 0, to: memory.count, by: size).map { at in
            LogSample(
                vbusMicrovolts: memory.little(at: at), ibusMicroamperes: memory.little(at: at + 4),
                chargeMicroampereHours: memory.little(at: at + 8), energyMicrowattHours: memory.little(at: at + 12))
        }
    }

    package var bytes: [UInt8] {
        var out: [UInt8] = []
        for value in [vbusMicrovolts, ibusMicroamperes, chargeMicroampereHours, energyMicrowattHours] {
            out.append(little: value)
        }
        return out
    }
}
