import MeterProtocol

/// The URB half of a USB/IP connection as a state machine: bytes of the kernel in, bytes back and actions out.
///
/// Layout: kernel documentation of the USB/IP protocol; every header 48 bytes, big-endian.
struct URBSession: Sendable {
    static let headerSize = 48
    /// Longest transfer taken; the meters' own are below 5 kB.
    static let largestTransfer = 1 << 20

    enum Action: Sendable, Equatable {
        /// Bytes for the kernel.
        case reply([UInt8])
        case submitOut(sequence: UInt32, frame: [UInt8])
        case submitIn(sequence: UInt32, length: Int)
        case cancelIn(sequence: UInt32)
        case clearHalt
        /// Bytes on an interface of which a host must keep off.
        case foreign(endpoint: UInt8, bytes: [UInt8])
        /// The other side broke the protocol.
        case drop(String)
    }

    enum Status {
        static let ok: Int32 = 0
        static let pipe: Int32 = -32
        static let overflow: Int32 = -75
        static let reset: Int32 = -104
        static let proto: Int32 = -71
        static let shutdown: Int32 = -108
    }

    private let control: ControlEndpoint
    private var buffer: [UInt8] = []
    /// Reads that wait for data: those of the vendor endpoint are with the port, the others wait for ever.
    private var waiting: [UInt32: UInt32] = [:]

    init(control: ControlEndpoint) { self.control = control }

    mutating func feed(_ bytes: some Collection<UInt8>) -> [Action] {
        buffer += bytes
        var actions: [Action] = []
        var at = 0
        while buffer.count - at >= Self.headerSize {
            let header = buffer[at..<at + Self.headerSize]
            let command = Self.word(header, 0)
            let isOut = Self.word(header, 12) == 0
            let length = Int(Int32(bitPattern: Self.word(header, 24)))
            guard command == 1 || command == 2 else {
                actions.append(.drop("unknown command \(command)"))
                return actions
            }
            var payload: ArraySlice<UInt8> = []
            if command == 1 {
                guard (0...Self.largestTransfer).contains(length) else {
                    actions.append(.drop("a transfer of \(length) bytes"))
                    return actions
                }
                if isOut {
                    guard buffer.count - at >= Self.headerSize + length else { break }
                    payload = buffer[at + Self.headerSize..<at + Self.headerSize + length]
                }
            }
            at += Self.headerSize + payload.count
            command == 1
                ? submit(header, isOut: isOut, length: length, payload: payload, into: &actions)
                : unlink(header, into: &actions)
        }
        buffer.removeFirst(at)
        return actions
    }

    private mutating func submit(
        _ header: ArraySlice<UInt8>, isOut: Bool, length: Int, payload: ArraySlice<UInt8>, into actions: inout [Action]
    ) {
        let sequence = Self.word(header, 4)
        let endpoint = Self.word(header, 16)
        switch (endpoint, isOut) {
        case (0, _):
            let setup = SetupPacket(header.suffix(8))
            switch control.answer(setup) {
            case .data(let data):
                actions.append(
                    .reply(Self.returned(sequence, data: Array(data.prefix(min(length, Int(setup.length)))))))
            case .done: actions.append(.reply(Self.returned(sequence, taken: payload.count)))
            case .haltCleared:
                actions.append(.clearHalt)
                actions.append(.reply(Self.returned(sequence, taken: 0)))
            case .stall: actions.append(.reply(Self.returned(sequence, status: Status.pipe)))
            }
        case (1, true): actions.append(.submitOut(sequence: sequence, frame: Array(payload)))
        case (1, false):
            waiting[sequence] = endpoint
            actions.append(.submitIn(sequence: sequence, length: length))
        case (2...5, true):
            actions.append(.foreign(endpoint: UInt8(endpoint), bytes: Array(payload)))
            actions.append(.reply(Self.returned(sequence, taken: payload.count)))
        case (2...5, false): waiting[sequence] = endpoint
        default: actions.append(.reply(Self.returned(sequence, status: Status.pipe)))
        }
    }

    /// A waiting victim gets no reply of its own, and every unlink is answered.
    private mutating func unlink(_ header: ArraySlice<UInt8>, into actions: inout [Action]) {
        let victim = Self.word(header, 20)
        var status = Status.ok
        if let endpoint = waiting.removeValue(forKey: victim) {
            status = Status.reset
            if endpoint == 1 { actions.append(.cancelIn(sequence: victim)) }
        }
        var reply = Self.header(4, Self.word(header, 4))
        Self.put(UInt32(bitPattern: status), into: &reply, at: 20)
        actions.append(.reply(reply))
    }

    /// A transfer of the vendor endpoint is over. Nil if nobody waits for it any more.
    mutating func finished(_ completion: Completion) -> [UInt8]? {
        let sequence = UInt32(truncatingIfNeeded: completion.token)
        switch completion.outcome {
        case .sent(let count): return Self.returned(sequence, taken: count)
        case .received(let bytes):
            guard waiting.removeValue(forKey: sequence) != nil else { return nil }
            return Self.returned(sequence, data: bytes)
        case .failed(let failure):
            waiting[sequence] = nil
            let status =
                switch failure {
                case .stall: Status.pipe
                case .overflow: Status.overflow
                case .noDevice: Status.shutdown
                default: Status.proto
                }
            return Self.returned(sequence, status: status)
        }
    }

    // MARK: bytes

    static func word(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> UInt32 {
        let at = bytes.startIndex + offset
        return UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8
            | UInt32(bytes[at + 3])
    }

    static func put(_ value: UInt32, into bytes: inout [UInt8], at offset: Int) {
        for k in 0..<4 { bytes[offset + k] = UInt8(truncatingIfNeeded: value >> (24 - 8 * k)) }
    }

    private static func header(_ command: UInt32, _ sequence: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: headerSize)
        put(command, into: &bytes, at: 0)
        put(sequence, into: &bytes, at: 4)
        return bytes
    }

    private static func returned(
        _ sequence: UInt32, status: Int32 = 0, taken: Int = 0, data: [UInt8] = []
    ) -> [UInt8] {
        var bytes = header(3, sequence)
        put(UInt32(bitPattern: status), into: &bytes, at: 20)
        put(UInt32(data.isEmpty ? taken : data.count), into: &bytes, at: 24)
        return bytes + data
    }
}
