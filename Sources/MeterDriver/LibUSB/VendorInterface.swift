/// One interface of a USB configuration, as its descriptor says.
package struct InterfaceDescription: Sendable, Equatable {
    package struct Endpoint: Sendable, Equatable {
        /// Address with the direction in bit 7 (set = IN).
        package var address: UInt8
        /// Transfer type: 0 control, 1 isochronous, 2 bulk, 3 interrupt.
        package var transferType: UInt8
        /// Largest packet, bytes.
        package var packetSize: Int

        package init(address: UInt8, transferType: UInt8, packetSize: Int) {
            self.address = address
            self.transferType = transferType
            self.packetSize = packetSize
        }

        package var isIn: Bool { address & 0x80 != 0 }
        package var isBulk: Bool { transferType == 2 }
    }

    package var number: UInt8
    package var alternate: UInt8
    package var interfaceClass: UInt8
    package var endpoints: [Endpoint]

    package init(number: UInt8, alternate: UInt8, interfaceClass: UInt8, endpoints: [Endpoint]) {
        self.number = number
        self.alternate = alternate
        self.interfaceClass = interfaceClass
        self.endpoints = endpoints
    }
}

/// The interface that carries the meter's frames: vendor class, one bulk IN, one bulk OUT.
///
/// Numbers of interfaces and endpoints differ between models and firmware, so they are never assumed.
package struct VendorInterface: Sendable, Equatable {
    package var number: UInt8
    package var inAddress: UInt8
    package var outAddress: UInt8
    /// Largest IN packet, bytes: reads must be a multiple of it.
    package var packetSize: Int

    /// The first interface (alternate setting 0) with class 0xFF and exactly one bulk endpoint each way; nil if none.
    package static func choose(from interfaces: [InterfaceDescription]) -> VendorInterface? {
        for interface in interfaces where interface.interfaceClass == 0xff && interface.alternate == 0 {
            let bulkIn = interface.endpoints.filter { $0.isBulk && $0.isIn }
            let bulkOut = interface.endpoints.filter { $0.isBulk && !$0.isIn }
            guard bulkIn.count == 1, bulkOut.count == 1, bulkIn[0].packetSize > 0 else { continue }
            return VendorInterface(
                number: interface.number, inAddress: bulkIn[0].address, outAddress: bulkOut[0].address,
                packetSize: bulkIn[0].packetSize)
        }
        return nil
    }
}
