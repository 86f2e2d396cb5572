/// The PdPacket payload (attribute 0x10): a status preamble of 12 bytes, then events until the payload ends.
package struct PDPayload: Sendable, Equatable {
    package static let preambleSize = 12

    /// Meter uptime, ms.
    package var uptimeMilliseconds: UInt32
    package var vbusMillivolts: UInt16
    package var ibusMilliamperes: Int16
    package var cc1Millivolts: UInt16
    package var cc2Millivolts: UInt16
    /// Empty: status only.
    package var events: [PDEvent]

    package init(
        uptimeMilliseconds: UInt32, vbusMillivolts: UInt16, ibusMilliamperes: Int16, cc1Millivolts: UInt16,
        cc2Millivolts: UInt16, events: [PDEvent] = []
    ) {
        self.uptimeMilliseconds = uptimeMilliseconds
        self.vbusMillivolts = vbusMillivolts
        self.ibusMilliamperes = ibusMilliamperes
        self.cc1Millivolts = cc1Millivolts
        self.cc2Millivolts = cc2Millivolts
        self.events = events
    }

    /// - Throws: `tooShort` if the preamble or an event is cut off.
    package init(decoding payload: some Collection<UInt8>) throws(ProtocolFailure) {
        let b = Array(payload)
        guard b.count >= Self.preambleSize else {
            throw .tooShort(part: "PdPacket preamble", needed: Self.preambleSize, found: b.count)
        }
        self.init(
            uptimeMilliseconds: b.little(at: 0), vbusMillivolts: b.little(at: 4), ibusMilliamperes: b.little(at: 6),
            cc1Millivolts: b.little(at: 8), cc2Millivolts: b.little(at: 10))
        var rest = b[Self.preambleSize...]
        while !rest.isEmpty {
            let event = try PDEvent(decoding: rest)
            rest = rest.dropFirst(event.encodedLength)
            events.append(event)
        }
    }

    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.append(little: uptimeMilliseconds)
        out.append(little: vbusMillivolts)
        out.append(little: ibusMilliamperes)
        out.append(little: cc1Millivolts)
        out.append(little: cc2Millivolts)
        for event in events { event.append(to: &out) }
        return out
    }
}

/// One event of a PdPacket: flag, u32 uptime, code, message bytes.
package struct PDEvent: Sendable, Equatable {
    package static let headerSize = 6
    /// Flag of a line event (plug connected or pulled); its low six bits say "no message bytes".
    package static let lineFlag: UInt8 = 0x45

    package enum Kind: Sendable, Equatable {
        case connect
        case disconnect
        /// A PD message as on the wire: 2-byte header, then 4 bytes per object, no CRC.
        case message(sop: UInt8, wire: [UInt8])
        /// A line event whose code nobody has explained.
        case line(code: UInt8)
    }

    package var flag: UInt8
    package var uptimeMilliseconds: UInt32
    /// SOP of a message (0 = SOP, 1 = SOP', …), or the code of a line event.
    package var code: UInt8
    package var wire: [UInt8]

    package init(flag: UInt8, uptimeMilliseconds: UInt32, code: UInt8, wire: [UInt8] = []) {
        self.flag = flag
        self.uptimeMilliseconds = uptimeMilliseconds
        self.code = code
        self.wire = wire
    }

    /// A PD message event. - Precondition: at most 58 bytes (the flag has six bits for the length plus 5).
    package static func message(at uptime: UInt32, sop: UInt8 = 0, wire: [UInt8]) -> PDEvent {
        precondition(wire.count <= 58, "a PD message has at most 30 bytes")
        return PDEvent(flag: 0x80 | UInt8(wire.count + 5), uptimeMilliseconds: uptime, code: sop, wire: wire)
    }

    /// A plug event with the codes of current firmware.
    package static func plug(connected: Bool, at uptime: UInt32) -> PDEvent {
        PDEvent(flag: lineFlag, uptimeMilliseconds: uptime, code: connected ? 0x21 : 0x22)
    }

    init(decoding rest: ArraySlice<UInt8>) throws(ProtocolFailure) {
        guard rest.count >= Self.headerSize else {
            throw .tooShort(part: "PD event", needed: Self.headerSize, found: rest.count)
        }
        let flag = rest.little(UInt8.self, at: 0)
        let length = Int(flag & 0x3F) - 5
        guard length >= 0 else {
            throw .wrongField(part: "PD event", field: "flag", expected: "a length of 5 or more", found: hex(flag))
        }
        guard rest.count >= Self.headerSize + length else {
            throw .tooShort(part: "PD event", needed: Self.headerSize + length, found: rest.count)
        }
        self.init(
            flag: flag, uptimeMilliseconds: rest.little(at: 1), code: rest.little(at: 5),
            wire: Array(rest.dropFirst(Self.headerSize).prefix(length)))
    }

    package var kind: Kind {
        guard flag & 0x80 == 0 else { return .message(sop: code, wire: wire) }
        return switch code {
        // 0x11 and 0x12 are what older firmware sends.
        case 0x21, 0x11: .connect
        case 0x22, 0x12: .disconnect
        default: .line(code: code)
        }
    }

    var encodedLength: Int { Self.headerSize + wire.count }

    func append(to out: inout [UInt8]) {
        out.append(flag)
        out.append(little: uptimeMilliseconds)
        out.append(code)
        out += wire
    }
}
