/// Every frame that the harness can send. There is no case for a frame that writes, resets or reflashes: what has no
/// case cannot be encoded.
package enum HostCommand: Sendable, Equatable {
    case connect
    case disconnect
    /// One reply with one payload per bit, in ascending order of the attributes.
    case getData(Attributes)
    /// Rate index as in `MeterProfile.rates`.
    case startGraph(rateIndex: UInt16)
    case stopGraph
    case memoryRead(MemoryRange)
    case streamingAuth(AuthRequest)
}

/// A request with its transaction id.
package struct HostRequest: Sendable, Equatable {
    package var id: UInt8
    package var command: HostCommand

    package init(id: UInt8, _ command: HostCommand) {
        self.id = id
        self.command = command
    }

    /// The frame, 4 or 36 bytes.
    package var bytes: [UInt8] {
        switch command {
        case .connect: ControlHeader(type: .connect, id: id).bytes
        case .disconnect: ControlHeader(type: .disconnect, id: id).bytes
        case .getData(let mask): ControlHeader(type: .getData, id: id, argument: mask.rawValue).bytes
        case .startGraph(let rate): ControlHeader(type: .startGraph, id: id, argument: rate).bytes
        case .stopGraph: ControlHeader(type: .stopGraph, id: id).bytes
        case .memoryRead(let range): range.requestBytes(id: id)
        case .streamingAuth(let auth): auth.requestBytes(id: id)
        }
    }
}

/// A frame as a meter receives it: the emulator's and the decoder's view of the host side.
package enum ReceivedRequest: Sendable, Equatable {
    case known(HostRequest)
    /// A frame of a type that the harness never sends; `FrameType.dangerous` says whether it could do harm.
    case foreign(ControlHeader, length: Int)

    /// - Throws: `tooShort` below 4 bytes; what `MemoryRange` and `AuthRequest` throw; `wrongLength` for a known
    ///   control frame that is not exactly 4 bytes.
    package init(decoding frame: [UInt8]) throws(ProtocolFailure) {
        let header = try ControlHeader(decoding: frame)
        let command: HostCommand
        switch header.type {
        case .memoryRead: command = .memoryRead(try MemoryRange(request: frame))
        case .streamingAuth: command = .streamingAuth(try AuthRequest(request: frame))
        case .connect: command = .connect
        case .disconnect: command = .disconnect
        case .getData: command = .getData(Attributes(rawValue: header.argument))
        case .startGraph: command = .startGraph(rateIndex: header.argument)
        case .stopGraph: command = .stopGraph
        default:
            self = .foreign(header, length: frame.count)
            return
        }
        guard header.type.rawValue >= 0x40 || frame.count == ControlHeader.size else {
            throw .wrongLength(part: "\(header.type)", expected: "\(ControlHeader.size)", found: frame.count)
        }
        self = .known(HostRequest(id: header.id, command))
    }
}
