/// The list half of USB/IP: which devices there are, and taking one (kernel documentation of the USB/IP protocol).
enum DeviceList {
    static let version: UInt16 = 0x0111
    static let requestList: UInt16 = 0x8005
    static let replyList: UInt16 = 0x0005
    static let requestImport: UInt16 = 0x8003
    static let replyImport: UInt16 = 0x0003
    static let busNumber: UInt32 = 9
    static let busIDSize = 32

    enum Request: Sendable, Equatable {
        case list
        case take(busID: String)
        /// Not enough bytes yet.
        case incomplete
        case invalid(String)
    }

    /// What the first bytes of a connection ask for, and how many they are.
    static func request(_ bytes: [UInt8]) -> (request: Request, length: Int) {
        guard bytes.count >= 8 else { return (.incomplete, 0) }
        let code = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        switch code {
        case requestList: return (.list, 8)
        case requestImport:
            guard bytes.count >= 8 + busIDSize else { return (.incomplete, 0) }
            let text = bytes[8..<8 + busIDSize].prefix { $0 != 0 }
            return (.take(busID: String(decoding: text, as: UTF8.self)), 8 + busIDSize)
        default: return (.invalid("operation code \(code)"), 0)
        }
    }

    static func busID(_ meter: Int) -> String { "\(busNumber)-\(meter + 1)" }

    static func header(_ code: UInt16, status: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes[0] = UInt8(version >> 8)
        bytes[1] = UInt8(version & 0xff)
        bytes[2] = UInt8(code >> 8)
        bytes[3] = UInt8(code & 0xff)
        URBSession.put(status, into: &bytes, at: 4)
        return bytes
    }

    /// Number by which the kernel calls the device on its side; new after each plug-in.
    static func deviceNumber(meter: Int, generation: Int) -> UInt32 {
        UInt32(1 + (meter + 64 * (generation - 1)) % 127)
    }

    /// Device record, 312 bytes.
    static func record(meter: Int, generation: Int, descriptors: USBDescriptors) -> [UInt8] {
        func text(_ text: String, _ size: Int) -> [UInt8] {
            let bytes = Array(text.utf8.prefix(size - 1))
            return bytes + [UInt8](repeating: 0, count: size - bytes.count)
        }
        func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        let d = descriptors.device
        var out = text("/sys/devices/virtual/wattbench/usb9/\(busID(meter))", 256) + text(busID(meter), busIDSize)
        out += big(busNumber) + big(deviceNumber(meter: meter, generation: generation)) + big(2)
        // idVendor, idProduct, bcdDevice are little-endian in the descriptor, big-endian here.
        out += [d[9], d[8], d[11], d[10], d[13], d[12]]
        out += [d[4], d[5], d[6], 1, d[17], UInt8(descriptors.interfaces.count)]
        return out
    }

    static func interfaceRecords(_ descriptors: USBDescriptors) -> [UInt8] {
        descriptors.interfaces.flatMap { [$0.0, $0.1, $0.2, 0] }
    }
}
