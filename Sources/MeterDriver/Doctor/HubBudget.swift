/// Judges whether the meters fit through the hubs they hang on.
///
/// A full-speed device behind a high-speed hub shares that hub's transaction translator (TT) with its neighbours: one
/// for the whole hub, or one a port on multi-TT hubs. A full-speed bus or TT carries about 1.2 MB/s of bulk data; half of
/// it is planned with.
package enum HubBudget {
    /// Bytes per second that one meter needs at 1 kHz, polled 33 times a second.
    package static let bytesPerSecondPerMeter = 20_300.0
    /// Planned capacity of one translator or full-speed bus, bytes per second.
    package static let capacity = 600_000.0

    /// A hub on the way from a meter to the host, as its descriptors say.
    package struct Hub: Sendable, Hashable {
        /// Port path (`1-1`), or `usb1` for a root hub.
        package var portPath: String
        package var speedMegabitsPerSecond: Double
        /// bDeviceProtocol: 0 full speed or root, 1 single TT, 2 multi TT.
        package var deviceProtocol: Int

        package init(portPath: String, speedMegabitsPerSecond: Double, deviceProtocol: Int) {
            self.portPath = portPath
            self.speedMegabitsPerSecond = speedMegabitsPerSecond
            self.deviceProtocol = deviceProtocol
        }
    }

    /// One bottleneck and who shares it.
    package struct Share: Sendable, Equatable {
        package var bottleneck: String
        package var meters: [String]
        package var bytesPerSecond: Double { Double(meters.count) * HubBudget.bytesPerSecondPerMeter }
        package var fits: Bool { bytesPerSecond <= HubBudget.capacity }
    }

    /// - Parameter routes: for each meter its port path and the hubs between it and the host, nearest first.
    package static func shares(_ routes: [(meter: String, portPath: String, hubs: [Hub])]) -> [Share] {
        var shares: [String: [String]] = [:]
        for route in routes { shares[bottleneck(route.portPath, route.hubs), default: []].append(route.meter) }
        return shares.keys.sorted().map { Share(bottleneck: $0, meters: shares[$0, default: []].sorted()) }
    }

    private static func bottleneck(_ portPath: String, _ hubs: [Hub]) -> String {
        var child = portPath
        for hub in hubs {
            if hub.portPath.hasPrefix("usb") { return "bus \(hub.portPath) (no hub between)" }
            if hub.speedMegabitsPerSecond >= 480 {
                return hub.deviceProtocol == 2
                    ? "port \(child) of multi-TT hub \(hub.portPath)" : "single TT of hub \(hub.portPath)"
            }
            child = hub.portPath
        }
        return "full-speed bus above \(child)"
    }

    /// The hubs above a device, nearest first, from the names and attributes of sysfs.
    static func hubs(above portPath: String) -> [Hub] {
        var hubs: [Hub] = []
        var path = portPath
        while let dot = path.lastIndex(of: ".") {
            path = String(path[..<dot])
            hubs.append(hub(path))
        }
        if let dash = path.firstIndex(of: "-") { hubs.append(hub("usb" + path[..<dash])) }
        return hubs
    }

    private static func hub(_ name: String) -> Hub {
        let device = SysfsDevice(portPath: name)
        return Hub(
            portPath: name, speedMegabitsPerSecond: device.attribute("speed").flatMap(Double.init) ?? 0,
            deviceProtocol: device.attribute("bDeviceProtocol").flatMap { Int($0, radix: 16) } ?? 0)
    }

    /// The verdicts for a set of meters.
    package static func findings(_ shares: [Share]) -> [Finding] {
        shares.map { share in
            let load =
                "\(share.meters.count) meter(s), \(Int(share.bytesPerSecond / 1000)) of "
                + "\(Int(capacity / 1000)) kB/s planned"
            return share.fits
                ? Finding("hub_budget", .ok, "\(share.bottleneck): \(load)")
                : Finding(
                    "hub_budget", .warning, "\(share.bottleneck): \(load)",
                    mend: "spread the meters over more hubs, or use multi-TT hubs: "
                        + share.meters.joined(separator: ", "))
        }
    }
}
