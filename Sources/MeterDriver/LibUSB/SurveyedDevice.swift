package import MeterProtocol

/// One device as a survey found it: the meter, and what else a technician needs to judge it.
package struct SurveyedDevice: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// A device of the vendor with the interface that carries the frames.
        case meter(VendorInterface)
        /// A device of the vendor without that interface, such as a meter in its bootloader.
        case withoutVendorInterface
        /// A known meter of another protocol; the text says which and why it is not used.
        case otherProtocol(String)
    }

    package var found: FoundMeter
    package var kind: Kind
    /// Kernel driver bound to the interface (`powerz`, …); taken off while the meter is open and given back after.
    package var kernelDriver: String?
    /// Path of the device node.
    package var deviceNode: String
    /// Speed as the kernel names it, Mb/s; nil if unknown.
    package var speedMegabitsPerSecond: Double?

    package init(
        found: FoundMeter, kind: Kind, kernelDriver: String?, deviceNode: String, speedMegabitsPerSecond: Double?
    ) {
        self.found = found
        self.kind = kind
        self.kernelDriver = kernelDriver
        self.deviceNode = deviceNode
        self.speedMegabitsPerSecond = speedMegabitsPerSecond
    }
}
