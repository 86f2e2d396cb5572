/// A record of the transfers of one session, as rows of a capture file.
package struct Transcript: Sendable, Equatable {
    package internal(set) var rows: [CaptureRow] = []
    var outEndpoint: UInt8 = 0x01
    var inEndpoint: UInt8 = 0x81
    private var began: Int64?
    private var readPostedAt: Int64?
    private var openOut: Int?

    private mutating func microseconds(_ now: Int64) -> Int64 {
        let start = began ?? now
        began = start
        return (now - start) / 1000
    }

    mutating func readPosted(_ now: Int64) { readPostedAt = microseconds(now) }

    mutating func sending(_ frame: [UInt8], _ now: Int64) {
        openOut = rows.count
        rows.append(
            CaptureRow(
                seq: rows.count, timeMicroseconds: microseconds(now), direction: .out, endpoint: outEndpoint,
                data: frame))
    }

    mutating func sent(_ now: Int64) {
        guard let index = openOut else { return }
        rows[index].otherTimeMicroseconds = microseconds(now)
        openOut = nil
    }

    mutating func received(_ bytes: [UInt8], _ now: Int64, status: Int) {
        rows.append(
            CaptureRow(
                seq: rows.count, timeMicroseconds: microseconds(now), direction: .in, endpoint: inEndpoint,
                status: status, bufferLength: MeterSession.readLength, data: bytes,
                otherTimeMicroseconds: readPostedAt))
        readPostedAt = nil
    }

    /// The file.
    package var text: String { ([CaptureRow.header] + rows.map(\.line)).joined(separator: "\n") + "\n" }
}

extension BusFailure {
    /// The Linux URB status that capture files use.
    var linuxStatus: Int {
        switch self {
        case .cancelled: -2
        case .noDevice, .notFound: -19
        case .stall: -32
        case .inputOutput: -71
        case .overflow: -75
        case .timeout: -110
        case .forbidden: -13
        case .busy: -16
        case .other(let code): Int(code)
        }
    }
}

extension MeterReply {
    /// In one or two words.
    package var label: String {
        switch self {
        case .accept: "ACCEPT"
        case .reject: "REJECT"
        case .disconnect: "DISCONNECT"
        case .error: "ERROR"
        case .memoryNotReadable: "MEMORY_NOT_READABLE"
        case .memoryConfirmation(_, let range): "memory \(hex(range.address)), \(range.size) bytes"
        case .auth(let reply): "level \(reply.level)"
        case .other(let header, let length): "\(header.type), \(length) bytes"
        case .data(let data):
            data.payloads.isEmpty
                ? "nothing to give"
                : data.payloads.map { "attribute \(hex($0.header.attribute)), \($0.bytes.count) bytes" }.joined(
                    separator: "; ")
        }
    }
}
