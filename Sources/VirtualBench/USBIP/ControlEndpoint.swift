/// The eight bytes of a control request.
struct SetupPacket: Sendable, Equatable {
    var requestType: UInt8
    var request: UInt8
    var value: UInt16
    var index: UInt16
    var length: UInt16

    /// - Parameter bytes: 8 bytes, little-endian inside as USB has them.
    init(_ bytes: ArraySlice<UInt8>) {
        let b = Array(bytes.prefix(8)) + [UInt8](repeating: 0, count: max(0, 8 - bytes.count))
        requestType = b[0]
        request = b[1]
        value = UInt16(b[2]) | UInt16(b[3]) << 8
        index = UInt16(b[4]) | UInt16(b[5]) << 8
        length = UInt16(b[6]) | UInt16(b[7]) << 8
    }
}

/// Endpoint 0 of an emulated meter.
struct ControlEndpoint: Sendable {
    enum Answer: Sendable, Equatable {
        case data([UInt8])
        case done
        case stall
        /// CLEAR_FEATURE(ENDPOINT_HALT): done, and the endpoint runs again.
        case haltCleared(endpoint: UInt8)
    }

    let descriptors: USBDescriptors

    func answer(_ setup: SetupPacket) -> Answer {
        switch (setup.requestType, setup.request) {
        case (0x80, 6): return standardDescriptor(type: UInt8(setup.value >> 8), index: UInt8(setup.value & 0xff))
        case (0x81, 6):
            // Report (0x22) and HID (0x21) descriptor of the HID interface.
            guard UInt8(setup.index & 0xff) == descriptors.hidInterface else { return .stall }
            switch setup.value >> 8 {
            case 0x22: return .data(USBDescriptors.hidReport)
            case 0x21: return .data([0x09, 0x21, 0x11, 0x01, 0x00, 0x01, 0x22, 0x18, 0x00])
            default: return .stall
            }
        case (0x80, 0), (0x81, 0), (0x82, 0): return .data([0, 0])
        case (0x80, 8): return .data([1])
        case (0x81, 10): return .data([0])
        case (0x02, 1): return .haltCleared(endpoint: UInt8(setup.index & 0xff))
        case (0x00, 9), (0x01, 11), (0x00, 1), (0x00, 3), (0x02, 3), (0x01, 1), (0x01, 3): return .done
        case (0xA1, 0x21): return .data([0x00, 0xc2, 0x01, 0x00, 0x00, 0x00, 0x08])
        case (0x21, _): return .done
        case (0xA1, _): return .data([UInt8](repeating: 0, count: Int(setup.length)))
        default: return .stall
        }
    }

    private func standardDescriptor(type: UInt8, index: UInt8) -> Answer {
        switch type {
        case 1: .data(descriptors.device)
        case 2: index == 0 ? .data(descriptors.configuration) : .stall
        case 3: descriptors.string(index).map(Answer.data) ?? .stall
        case 15: .data(descriptors.objectStore)
        // A full-speed device has no qualifier: the stall is the answer.
        default: .stall
        }
    }
}
