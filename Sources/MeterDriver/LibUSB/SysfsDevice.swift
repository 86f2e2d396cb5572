import Foundation

/// What the kernel already knows of one USB device: read from sysfs, so without any traffic on the bus and without
/// permission to open the device.
struct SysfsDevice {
    /// Kernel's name, which is bus and port path: `1-1.4`.
    let name: String
    private let folder: String

    static let root = "/sys/bus/usb/devices"

    init(portPath: String) {
        name = portPath
        folder = "\(Self.root)/\(portPath)"
    }

    /// Every USB device (not interface) that sysfs lists; empty where there is no sysfs.
    static func all() -> [SysfsDevice] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.filter { !$0.contains(":") }.sorted().map(SysfsDevice.init(portPath:))
    }

    func attribute(_ name: String) -> String? {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    var vendorID: UInt16? { attribute("idVendor").flatMap { UInt16($0, radix: 16) } }
    var productID: UInt16? { attribute("idProduct").flatMap { UInt16($0, radix: 16) } }
    /// Changes with every plug.
    var address: String { attribute("devnum") ?? "" }

    func hasInterface(_ number: UInt8) -> Bool {
        FileManager.default.fileExists(atPath: interfaceFolder(number))
    }

    private func interfaceFolder(_ number: UInt8) -> String {
        "\(folder)/\(name):\(attribute("bConfigurationValue") ?? "1").\(number)"
    }

    /// Driver bound to an interface: `powerz`, `usbfs` (some program through libusb), …; nil if none or unknown.
    func driver(ofInterface number: UInt8) -> String? {
        let link = interfaceFolder(number) + "/driver"
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link) else { return nil }
        return target.split(separator: "/").last.map(String.init)
    }

    /// The device hangs on `vhci-hcd`: it came over USB/IP, which is how emulated meters are plugged in.
    var isOverUSBIP: Bool {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: folder) else { return false }
        return target.contains("vhci_hcd")
    }
}

/// Which program holds a device node.
enum DeviceHolder {
    /// `name (pid N)` of another process that has the node open; nil if none is visible to this user.
    static func program(holding node: String) -> String? {
        let files = FileManager.default
        let own = ProcessInfo.processInfo.processIdentifier
        for entry in (try? files.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(entry), pid != own else { continue }
            for descriptor in (try? files.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? [] {
                let link = "/proc/\(pid)/fd/\(descriptor)"
                guard (try? files.destinationOfSymbolicLink(atPath: link)) == node else { continue }
                let name = files.contents(atPath: "/proc/\(pid)/comm").map { String(decoding: $0, as: UTF8.self) }
                return "\(name?.trimmingCharacters(in: .newlines) ?? "program") (pid \(pid))"
            }
        }
        return nil
    }
}
