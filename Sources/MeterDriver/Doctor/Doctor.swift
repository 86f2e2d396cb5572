import CLibUSB
import Foundation
import MeterProtocol

/// Looks at the host as a technician would before a campaign: what would keep meters and boards from working, and how
/// to mend it. Changes nothing.
package struct Doctor {
    private let rules: DeviceRules
    /// Folder in which runs would be written.
    private let folder: String

    package init(rules: DeviceRules = DeviceRules(), folder: String = ".") {
        self.rules = rules
        self.folder = folder
    }

    package func examine() -> DoctorReport {
        DoctorReport(
            checks: usb() + hotplug() + priority() + HostChecks.clocks() + HostChecks.timeSync()
                + HostChecks.disk(folder) + GPIOChecks.findings() + HostChecks.virtualBench() + HostChecks.solver())
    }

    // MARK: Meters

    private func usb() -> [Finding] {
        let survey: [SurveyedDevice]
        let version = libusb_get_version().pointee
        var findings = [Finding("libusb", .ok, "version \(version.major).\(version.minor).\(version.micro)")]
        do {
            survey = try LibUSBBus(rules: rules).survey()
        } catch let failure as DriverFailure {
            return findings + [
                Finding(
                    "libusb", .failure, "\(failure)", mend: "load the host controller's driver, or use another host")
            ]
        } catch {
            return findings + [
                Finding(
                    "libusb", .failure, "the USB devices could not be listed (\(error))", mend: "check /dev/bus/usb")
            ]
        }
        if !FileManager.default.fileExists(atPath: "/sys/bus/usb/devices") {
            findings.append(
                Finding(
                    "libusb", .note, "this kernel has no USB at all",
                    mend: "use another host, or the guest of 'scripts/guest' for the virtual bench"))
        }
        let listing = MeterListing(survey: survey)
        if listing.meters.isEmpty {
            findings.append(
                Finding("meters", .failure, "no meter is plugged in", mend: "check cables and the hub's own power"))
        }
        for meter in listing.meters + listing.others { findings.append(Self.judge(meter)) }
        let meters = survey.filter { if case .meter = $0.kind { true } else { false } }
        findings += kernelDriver(meters) + suspend(meters)
        findings += HubBudget.findings(
            HubBudget.shares(
                meters.map { device in
                    let found = device.found
                    return (
                        found.serial.isEmpty ? found.portPath : found.serial, found.portPath,
                        HubBudget.hubs(above: found.portPath)
                    )
                }))
        return findings
    }

    private static func judge(_ entry: MeterListing.Entry) -> Finding {
        let name = entry.serial.isEmpty ? "port \(entry.port)" : entry.serial
        let what = "\(name) (\(entry.product), port \(entry.port))"
        switch entry.access {
        case "present":
            return Finding("meters", entry.mend == nil ? .ok : .warning, "\(what) is ready", mend: entry.mend)
        case "unusable": return Finding("meters", .note, "\(what) is not used", mend: entry.mend)
        case let access:
            return Finding(
                "meters", .failure, "\(what) is \(access)" + (entry.holder.map { ", held by \($0)" } ?? ""),
                mend: entry.mend)
        }
    }

    private func kernelDriver(_ meters: [SurveyedDevice]) -> [Finding] {
        let held = meters.filter { $0.kernelDriver != nil }
        guard held.isEmpty else {
            return [
                Finding(
                    "kernel_driver", .note,
                    "\(held.count) meter(s) are bound to the kernel driver "
                        + Set(held.compactMap(\.kernelDriver)).sorted().joined(separator: ", ")
                        + ": it is taken off while they are open and given back after",
                    mend: "to keep it away for good: scripts/install-udev --no-powerz")
            ]
        }
        let isLoaded = FileManager.default.fileExists(atPath: "/sys/module/powerz")
        return [
            Finding(
                "kernel_driver", .ok,
                isLoaded ? "module powerz is loaded but holds no meter" : "no kernel driver holds a meter")
        ]
    }

    private func suspend(_ meters: [SurveyedDevice]) -> [Finding] {
        let settings = meters.map {
            ($0.found.portPath, SysfsDevice(portPath: $0.found.portPath).attribute("power/control"))
        }
        let sleepy = settings.filter { $0.1 == "auto" }.map(\.0)
        if sleepy.isEmpty {
            guard settings.contains(where: { $0.1 == "on" }) else { return [] }
            return [Finding("autosuspend", .ok, "off for every meter")]
        }
        return [
            Finding(
                "autosuspend", .warning,
                "the kernel may suspend the meters at port \(sleepy.joined(separator: ", ")) while they are closed",
                mend: "run 'scripts/install-udev', or: echo on > \(SysfsDevice.root)/\(sleepy[0])/power/control")
        ]
    }

    // MARK: Around the meters

    private func hotplug() -> [Finding] {
        let files = FileManager.default
        var findings: [Finding] = []
        if files.fileExists(atPath: "/run/udev/control") {
            findings.append(Finding("udevd", .ok, "runs: re-plugged meters are seen at once"))
        } else {
            findings.append(
                Finding(
                    "udevd", .warning, "does not run: meters plugged in later are not seen",
                    mend: "start it ('systemctl start systemd-udevd'); containers: measure on the host"))
        }
        let folders = ["/etc/udev/rules.d", "/lib/udev/rules.d", "/run/udev/rules.d"]
        let hasRule = folders.contains { files.fileExists(atPath: "\($0)/70-wattbench.rules") }
        findings.append(
            hasRule
                ? Finding("udev_rule", .ok, "70-wattbench.rules is installed")
                : Finding(
                    "udev_rule", geteuid() == 0 ? .note : .warning, "70-wattbench.rules is not installed",
                    mend: "run 'scripts/install-udev' so that members of plugdev may open meters"))
        return findings
    }

    private func priority() -> [Finding] {
        if geteuid() == 0 || wb_realtime_limit() >= 20 {
            return [Finding("priority", .ok, "the USB thread may run in real time (SCHED_FIFO 20)")]
        }
        return [
            Finding(
                "priority", .note, "the USB thread runs with ordinary priority",
                mend: "on a busy host allow it: '@plugdev - rtprio 20' in /etc/security/limits.d/wattbench.conf")
        ]
    }
}
