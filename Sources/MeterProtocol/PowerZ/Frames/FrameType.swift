/// The low seven bits of a frame's first byte (firmware-notes/meters.md, table of commands).
package struct FrameType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: UInt8

    /// Keeps the low seven bits; bit 7 is the `extend` mark.
    package init(rawValue: UInt8) { self.rawValue = rawValue & 0x7F }

    package static let sync = FrameType(rawValue: 0x01)
    package static let connect = FrameType(rawValue: 0x02)
    package static let disconnect = FrameType(rawValue: 0x03)
    package static let accept = FrameType(rawValue: 0x05)
    package static let reject = FrameType(rawValue: 0x06)
    package static let finished = FrameType(rawValue: 0x07)
    package static let error = FrameType(rawValue: 0x0B)
    package static let getData = FrameType(rawValue: 0x0C)
    package static let startGraph = FrameType(rawValue: 0x0E)
    package static let stopGraph = FrameType(rawValue: 0x0F)
    package static let memoryDone = FrameType(rawValue: 0x26)
    package static let memoryNotReadable = FrameType(rawValue: 0x27)
    package static let memoryOther = FrameType(rawValue: 0x29)
    package static let putData = FrameType(rawValue: 0x41)
    package static let memoryRead = FrameType(rawValue: 0x44)
    package static let streamingAuth = FrameType(rawValue: 0x4C)

    /// Types that reset, reflash or rewrite a meter. Known only to be refused and to be recognised by the emulator.
    package static let dangerous: Set<FrameType> = Set([0x04, 0x08, 0x09, 0x48, 0x4A, 0x4D].map(FrameType.init))

    package var description: String {
        switch self {
        case .sync: "SYNC"
        case .connect: "CONNECT"
        case .disconnect: "DISCONNECT"
        case .accept: "ACCEPT"
        case .reject: "REJECT"
        case .finished: "FINISHED"
        case .error: "ERROR"
        case .getData: "GET_DATA"
        case .startGraph: "START_GRAPH"
        case .stopGraph: "STOP_GRAPH"
        case .memoryNotReadable: "MEMORY_NOT_READABLE"
        case .putData: "PUT_DATA"
        case .memoryRead: "MEMORY_READ"
        case .streamingAuth: "STREAMING_AUTH"
        default: "type \(hex(rawValue))"
        }
    }
}

/// Attribute bits of a GET_DATA mask; in an extended header exactly one of them.
package struct Attributes: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let adc = Attributes(rawValue: 0x001)
    package static let adcQueue = Attributes(rawValue: 0x002)
    package static let settings = Attributes(rawValue: 0x008)
    package static let pdPacket = Attributes(rawValue: 0x010)
    package static let pdStatus = Attributes(rawValue: 0x020)
    package static let logMetadata = Attributes(rawValue: 0x200)

    /// What the harness may ask for: the attributes seen in captures.
    package static let askable: Attributes = [.adc, .adcQueue, .settings, .pdPacket, .logMetadata]
}
