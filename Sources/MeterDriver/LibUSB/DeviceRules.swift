/// Which USB devices count as meters.
package struct DeviceRules: Sendable, Equatable {
    /// A vendor, and one product or (nil) all products of it.
    package struct Identity: Sendable, Hashable {
        package var vendorID: UInt16
        package var productID: UInt16?

        package init(vendorID: UInt16, productID: UInt16? = nil) {
            self.vendorID = vendorID
            self.productID = productID
        }

        package func matches(vendorID: UInt16, productID: UInt16) -> Bool {
            self.vendorID == vendorID && (self.productID ?? productID) == productID
        }
    }

    /// ChargerLAB; every product of it with a vendor bulk interface is taken to speak the POWER-Z protocol.
    package static let powerZ = Identity(vendorID: 0x5fc9)

    package var identities: [Identity]

    package init(identities: [Identity] = [DeviceRules.powerZ]) {
        self.identities = identities
    }

    /// The POWER-Z vendor and what the user adds as `VVVV` or `VVVV:PPPP`, hex.
    ///
    /// Throws `.badIdentity` with the text that is no such id.
    package init(extra: [String]) throws(DriverFailure) {
        identities = [DeviceRules.powerZ]
        for text in extra {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let numbers = parts.compactMap { $0.count <= 4 ? UInt16($0, radix: 16) : nil }
            guard numbers.count == parts.count, (1...2).contains(parts.count) else { throw .badIdentity(text) }
            identities.append(Identity(vendorID: numbers[0], productID: numbers.count == 2 ? numbers[1] : nil))
        }
    }

    package func matches(vendorID: UInt16, productID: UInt16) -> Bool {
        identities.contains { $0.matches(vendorID: vendorID, productID: productID) }
    }
}

/// Meters of other protocols that a technician may have plugged in by mistake; recognised so that they can be named.
///
/// Ids as reported by other tools' authors (firmware-notes/usb-host.md). Several belong to chip vendors and are
/// shared with unrelated devices, hence "may be".
package enum OtherMeter {
    /// One sentence on what the device may be and why it cannot be used; nil if nothing is known of it.
    package static func remark(vendorID: UInt16, productID: UInt16, hasHID: Bool) -> String? {
        switch (vendorID, productID) {
        case (0x0416, 0x5750), (0x0416, 0x5f50), (0x0483, 0x5750), (0x0483, 0x5f50):
            hasHID
                ? "may be an older KM001 (HID protocol, 500 readings/s at most, no timestamps): not supported"
                : nil
        case (0x0483, 0xfffe), (0x0483, 0xffff), (0x0483, 0x374b):
            "may be a KT002 (AVHzY CT-3, Shizuku): another protocol, not supported"
        case (0x0472, 0x0002): "may be an FL001 Super (HID, about 31 readings/s): not supported"
        default: nil
        }
    }
}
