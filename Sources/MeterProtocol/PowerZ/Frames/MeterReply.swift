/// One frame from a meter, read from one completed transfer. The raw data of a memory read have no header: they never
/// come through here, the reader must know that it expects them (`MemoryRange.decrypt`).
package enum MeterReply: Sendable, Equatable {
    case accept(id: UInt8)
    case reject(id: UInt8)
    /// Unasked: the meter has ended the session (id is the meter's own counter). A host never receives one otherwise.
    case disconnect(id: UInt8)
    /// A KM002C answers a second CONNECT with it (by report).
    case error(id: UInt8)
    case data(PutData)
    case memoryConfirmation(id: UInt8, MemoryRange)
    /// The memory may not be read.
    case memoryNotReadable(id: UInt8)
    case auth(AuthReply)
    /// A frame that nobody has explained; kept, counted, never guessed at.
    case other(ControlHeader, length: Int)

    /// - Throws: `tooShort`, `wrongLength`, `checksum` or `wrongField`: the frame is of a known type but damaged.
    package init(decoding frame: [UInt8]) throws(ProtocolFailure) {
        let header = try ControlHeader(decoding: frame)
        switch header.type {
        case .accept: self = .accept(id: header.id)
        case .reject: self = .reject(id: header.id)
        case .disconnect: self = .disconnect(id: header.id)
        case .error: self = .error(id: header.id)
        case .putData: self = .data(try PutData(decoding: frame))
        case .memoryRead where header.isExtended:
            self = .memoryConfirmation(id: header.id, try MemoryRange(confirmation: frame))
        case .memoryNotReadable: self = .memoryNotReadable(id: header.id)
        case .streamingAuth: self = .auth(try AuthReply(frame: frame))
        default: self = .other(header, length: frame.count)
        }
    }

    /// Transaction id; nil where the meter does not echo one.
    package var id: UInt8? {
        switch self {
        case .accept(let id), .reject(let id), .error(let id), .memoryConfirmation(let id, _),
            .memoryNotReadable(let id):
            id
        case .data(let data): data.header.id
        case .other(let header, _): header.id
        case .disconnect, .auth: nil
        }
    }

    /// The frame as a meter sends it (the emulator's direction).
    package var bytes: [UInt8] {
        switch self {
        case .accept(let id): ControlHeader(type: .accept, id: id).bytes
        case .reject(let id): ControlHeader(type: .reject, id: id).bytes
        case .disconnect(let id): ControlHeader(type: .disconnect, id: id).bytes
        case .error(let id): ControlHeader(type: .error, id: id).bytes
        case .data(let data): data.bytes
        case .memoryConfirmation(let id, let range): range.confirmationBytes(id: id)
        case .memoryNotReadable(let id): ControlHeader(type: .memoryNotReadable, id: id).bytes
        case .auth(let reply): reply.bytes
        case .other(let header, _): header.bytes
        }
    }
}
