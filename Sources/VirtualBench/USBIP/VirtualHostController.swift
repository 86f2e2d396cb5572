import Foundation

/// The kernel's virtual host controller (`vhci-hcd`): attaches an emulated meter to this machine's own USB stack.
/// Needs root and the module; no TCP and no `usbip` tool.
enum VirtualHostController {
    static let folder = "/sys/devices/platform/vhci_hcd.0"

    /// Numbers of the free ports for full-speed devices.
    ///
    /// - Throws: `attach` with the reason if the controller is not there.
    static func freePorts() throws(VirtualBenchFailure) -> [Int] {
        var ports: [Int] = []
        var isThere = false
        for name in ["status"] + (1..<16).map({ "status.\($0)" }) {
            guard let text = try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) else { continue }
            isThere = true
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                // hub port state speed device socket busid; state 004 = free
                if fields.count >= 3, fields[0] == "hs", fields[2] == "004", let port = Int(fields[1]) {
                    ports.append(port)
                }
            }
        }
        guard isThere else {
            throw .attach(
                "This kernel has no virtual USB host controller (\(folder)). Load it with 'modprobe vhci-hcd' as root; "
                    + "cloud kernels do not have it.")
        }
        return ports
    }

    /// Attaches the device behind `descriptor` (one end of a stream socket pair; the kernel takes its own reference).
    static func attach(port: Int, descriptor: Int32, deviceID: UInt32) throws(VirtualBenchFailure) {
        let file = open("\(folder)/attach", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw .attach(
                errno == EACCES
                    ? "Attaching needs root: \(folder)/attach may not be written by this user."
                    : "\(folder)/attach cannot be opened: \(errorText(errno)).")
        }
        defer { close(file) }
        let text = Array("\(port) \(descriptor) \(deviceID) 2".utf8)
        guard write(file, text, text.count) == text.count else {
            throw .attach("The kernel refused to attach a meter to port \(port): \(errorText(errno)).")
        }
    }
}
