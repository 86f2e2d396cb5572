import MeterProtocol

/// What `meters list` says: one entry per device, each with its answer and how to mend it.
package struct MeterListing: Sendable, Equatable, Encodable {
    package struct Entry: Sendable, Equatable, Encodable {
        package var serial: String
        package var product: String
        /// Bus and port path; empty for a meter that was asked for and is absent.
        package var port: String
        /// `5fc9:0063`.
        package var usbID: String
        /// `present`, `forbidden`, `busy`, `absent`, or `unusable` for what no meter protocol here can speak to.
        package var access: String
        /// Who holds a busy meter.
        package var holder: String?
        /// Kernel driver that will be taken off while the meter is open.
        package var kernelDriver: String?
        package var isVirtual: Bool
        /// Next step for a technician; nil when there is nothing to do.
        package var mend: String?

        enum CodingKeys: String, CodingKey {
            case serial, product, port, access, holder, mend
            case usbID = "usb_id"
            case kernelDriver = "kernel_driver"
            case isVirtual = "virtual"
        }
    }

    package var meters: [Entry]
    /// Devices that are no usable meter but may be taken for one.
    package var others: [Entry]

    /// - Parameter wanted: serials (or port paths) that should be there; those that are not become `absent` entries.
    package init(survey: [SurveyedDevice], wanted: [String] = []) {
        meters = []
        others = []
        for device in survey {
            let entry = Self.entry(device)
            if case .meter = device.kind {
                if wanted.isEmpty || wanted.contains(entry.serial) || wanted.contains(entry.port) {
                    meters.append(entry)
                }
            } else {
                others.append(entry)
            }
        }
        let serials = meters.map(\.serial)
        for index in meters.indices where meters[index].mend == nil {
            let serial = meters[index].serial
            if serial.isEmpty {
                meters[index].mend = "it gives no serial: name it by its port, and keep it in that port"
            } else if serials.count(where: { $0 == serial }) > 1 {
                meters[index].mend = "another meter gives the same serial: name both by their ports"
            }
        }
        for name in wanted where !meters.contains(where: { $0.serial == name || $0.port == name }) {
            meters.append(
                Entry(
                    serial: name, product: "", port: "", usbID: "", access: "absent", isVirtual: false,
                    mend: "check its cable and the hub's power, then list again"))
        }
    }

    /// Every meter can be used, and there is at least one.
    package var isReady: Bool { !meters.isEmpty && meters.allSatisfy { $0.access == "present" } }

    private static func entry(_ device: SurveyedDevice) -> Entry {
        let found = device.found
        var entry = Entry(
            serial: found.serial, product: found.product, port: found.portPath,
            usbID: hexID(found.vendorID) + ":" + hexID(found.productID), access: "present",
            kernelDriver: device.kernelDriver, isVirtual: found.isVirtual)
        switch device.kind {
        case .meter: break
        case .withoutVendorInterface:
            entry.access = "unusable"
            entry.mend = "it shows no vendor interface (in its bootloader?): unplug it, wait, plug it in again"
            return entry
        case .otherProtocol(let remark):
            entry.access = "unusable"
            entry.mend = remark
            return entry
        }
        switch found.access {
        case .present: break
        case .forbidden:
            entry.access = "forbidden"
            entry.mend =
                "this user may not open \(device.deviceNode): run 'scripts/install-udev', log in again, replug"
        case .busy(let holder):
            entry.access = "busy"
            entry.holder = holder
            entry.mend =
                holder.map { "stop \($0), or unbind it ('scripts/install-udev' keeps kernel drivers away)" }
                ?? "stop the program that has it open ('fuser -v \(device.deviceNode)' names it)"
        }
        return entry
    }

    private static func hexID(_ number: UInt16) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}

extension MeterListing {
    /// The listing for people, one line per device and one below it where something is to be done.
    package var text: String {
        var lines: [String] = []
        if meters.isEmpty {
            lines.append("no meter found: check cables and hub power; 'wattbench doctor' looks further")
        }
        for meter in meters {
            var line = meter.serial.isEmpty ? "(no serial)" : meter.serial
            line += "  \(meter.access)"
            if !meter.product.isEmpty { line += "  \(meter.product)" }
            if !meter.port.isEmpty { line += "  port \(meter.port)  \(meter.usbID)" }
            if meter.isVirtual { line += "  virtual" }
            if let driver = meter.kernelDriver { line += "  (kernel driver \(driver) gives way while it is open)" }
            lines.append(line)
            if let mend = meter.mend { lines.append("    -> \(mend)") }
        }
        for other in others {
            lines.append("port \(other.port)  \(other.usbID)  \(other.product): \(other.mend ?? "not usable")")
        }
        return lines.joined(separator: "\n")
    }
}
