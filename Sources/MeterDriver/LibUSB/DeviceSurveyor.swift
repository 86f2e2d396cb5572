import CLibUSB
import Foundation
import MeterProtocol

/// A libusb device kept alive.
/// Sendable because libusb guards its reference counts and device structures itself.
final class DeviceReference: @unchecked Sendable {
    let raw: OpaquePointer

    init(_ device: OpaquePointer) { raw = libusb_ref_device(device) }
    deinit { libusb_unref_device(raw) }
}

/// A libusb context as several threads may hold it.
/// Sendable because libusb's device functions on one context are documented as thread-safe.
struct USBContext: @unchecked Sendable {
    let raw: OpaquePointer
}

/// Looks at every USB device and judges what it is and whether it can be used. Any thread.
///
/// It may take half a second: while a device is being plugged in, the kernel holds its lock, and reading its names or
/// opening it waits. So a bus that is streaming leaves the looking to another thread.
struct DeviceSurveyor: Sendable {
    struct Survey: Sendable {
        var devices: [SurveyedDevice] = []
        /// By port path.
        var references: [String: DeviceReference] = [:]
    }

    let context: USBContext
    let rules: DeviceRules

    /// Every meter, every device of the vendor that cannot be used, and known meters of other protocols, ordered by
    /// port path. Disturbs no running meter: names come from the kernel's own records where it has them.
    ///
    /// - Parameter open: ports that this program has open; they are not tried out.
    func survey(open: Set<String>) throws(BusFailure) -> Survey {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        let count = libusb_get_device_list(context.raw, &list)
        guard count >= 0, let list else { throw USBError.failure(Int32(truncatingIfNeeded: count)) }
        defer { libusb_free_device_list(list, 1) }
        var survey = Survey()
        for index in 0..<count {
            guard let device = list[index] else { continue }
            var descriptor = libusb_device_descriptor()
            guard libusb_get_device_descriptor(device, &descriptor) == 0,
                let surveyed = examine(device, descriptor, open: open)
            else { continue }
            survey.devices.append(surveyed)
            survey.references[surveyed.found.portPath] = DeviceReference(device)
        }
        survey.devices.sort {
            $0.found.portPath.compare($1.found.portPath, options: .numeric) == .orderedAscending
        }
        return survey
    }

    /// Ports and addresses of the meters that sysfs lists: cheap, and takes no lock of a device.
    func topology() -> [String] {
        SysfsDevice.all().compactMap { device in
            guard let vendor = device.vendorID, let product = device.productID,
                rules.matches(vendorID: vendor, productID: product)
            else { return nil }
            return "\(device.name) \(device.address)"
        }
    }

    private func examine(_ device: OpaquePointer, _ descriptor: libusb_device_descriptor, open: Set<String>)
        -> SurveyedDevice?
    {
        let isOurs = rules.matches(vendorID: descriptor.idVendor, productID: descriptor.idProduct)
        guard
            isOurs
                || OtherMeter.remark(
                    vendorID: descriptor.idVendor, productID: descriptor.idProduct, hasHID: true) != nil
        else { return nil }
        let portPath = Self.portPath(of: device)
        let sysfs = SysfsDevice(portPath: portPath)
        let interfaces = Self.interfaces(of: device)
        let kind: SurveyedDevice.Kind
        if isOurs {
            kind = VendorInterface.choose(from: interfaces).map { .meter($0) } ?? .withoutVendorInterface
        } else if let remark = OtherMeter.remark(
            vendorID: descriptor.idVendor, productID: descriptor.idProduct,
            hasHID: interfaces.contains { $0.interfaceClass == 3 })
        {
            kind = .otherProtocol(remark)
        } else {
            return nil
        }
        var found = FoundMeter(
            serial: sysfs.attribute("serial") ?? "", portPath: portPath, vendorID: descriptor.idVendor,
            productID: descriptor.idProduct, product: sysfs.attribute("product") ?? "", access: .present,
            isVirtual: sysfs.isOverUSBIP)
        var kernelDriver: String?
        if case .meter(let interface) = kind {
            let bound = sysfs.driver(ofInterface: interface.number)
            kernelDriver = bound == "usbfs" ? nil : bound
            if !open.contains(portPath) { tryOut(device, descriptor, interface, bound: bound, into: &found) }
        }
        return SurveyedDevice(
            found: found, kind: kind, kernelDriver: kernelDriver, deviceNode: Self.node(of: device),
            speedMegabitsPerSecond: sysfs.attribute("speed").flatMap(Double.init))
    }

    /// Finds out whether the meter can be used, and asks the device for names that sysfs did not have.
    private func tryOut(
        _ device: OpaquePointer, _ descriptor: libusb_device_descriptor, _ interface: VendorInterface, bound: String?,
        into found: inout FoundMeter
    ) {
        var opened: OpaquePointer?
        let code = libusb_open(device, &opened)
        guard code == 0, let handle = opened else {
            if code == LIBUSB_ERROR_ACCESS.rawValue {
                found.access = .forbidden
            } else {
                found.access = .busy(holder: "an open that failed with \(USBError.name(code))")
            }
            return
        }
        defer { libusb_close(handle) }
        if found.serial.isEmpty { found.serial = Self.string(handle, descriptor.iSerialNumber) }
        if found.product.isEmpty { found.product = Self.string(handle, descriptor.iProduct) }
        let portPath = found.portPath
        func busy() -> FoundMeter.Access {
            .busy(holder: Self.holder(of: device, portPath: portPath, interface: interface.number))
        }
        // A kernel driver is taken off at open, so it does not make the meter busy; leave it bound while only looking.
        if let bound {
            if bound == "usbfs" { found.access = busy() }
            return
        }
        // Where sysfs knows the interface and no driver of it, nobody holds it; else only a trial tells.
        if SysfsDevice(portPath: found.portPath).hasInterface(interface.number) { return }
        if libusb_kernel_driver_active(handle, Int32(interface.number)) == 1 { return }
        let claimed = libusb_claim_interface(handle, Int32(interface.number))
        if claimed == 0 {
            _ = libusb_release_interface(handle, Int32(interface.number))
        } else if claimed == LIBUSB_ERROR_BUSY.rawValue {
            found.access = busy()
        }
    }

    /// Opens a device and claims its vendor interface, taking it from a kernel driver if need be. Close the handle to
    /// give it back.
    func claim(_ device: DeviceReference, _ interface: VendorInterface, portPath: String) throws(BusFailure)
        -> OpaquePointer
    {
        var opened: OpaquePointer?
        let code = libusb_open(device.raw, &opened)
        guard code == 0, let handle = opened else { throw USBError.failure(code) }
        _ = libusb_set_auto_detach_kernel_driver(handle, 1)
        let claimed = libusb_claim_interface(handle, Int32(interface.number))
        guard claimed == 0 else {
            libusb_close(handle)
            guard claimed == LIBUSB_ERROR_BUSY.rawValue else { throw USBError.failure(claimed) }
            throw .busy(holder: Self.holder(of: device.raw, portPath: portPath, interface: interface.number))
        }
        return handle
    }

    private static func holder(of device: OpaquePointer, portPath: String, interface: UInt8) -> String? {
        if let program = DeviceHolder.program(holding: node(of: device)) { return program }
        return SysfsDevice(portPath: portPath).driver(ofInterface: interface).map {
            $0 == "usbfs" ? "another program" : "kernel driver \($0)"
        }
    }

    // MARK: Reading libusb's structures

    private static func node(of device: OpaquePointer) -> String {
        func padded(_ number: UInt8) -> String { String(("00" + String(number)).suffix(3)) }
        return "/dev/bus/usb/\(padded(libusb_get_bus_number(device)))/\(padded(libusb_get_device_address(device)))"
    }

    /// `BUS-PORT.PORT…` as the kernel writes it; `BUS-@ADDRESS` where the stack does not know the ports.
    private static func portPath(of device: OpaquePointer) -> String {
        var ports = [UInt8](repeating: 0, count: 8)
        let count = libusb_get_port_numbers(device, &ports, Int32(ports.count))
        let bus = libusb_get_bus_number(device)
        guard count > 0 else { return "\(bus)-@\(libusb_get_device_address(device))" }
        return "\(bus)-" + ports.prefix(Int(count)).map(String.init).joined(separator: ".")
    }

    private static func interfaces(of device: OpaquePointer) -> [InterfaceDescription] {
        var read: UnsafeMutablePointer<libusb_config_descriptor>?
        guard libusb_get_active_config_descriptor(device, &read) == 0, let read else { return [] }
        defer { libusb_free_config_descriptor(read) }
        let configuration = read.pointee
        return (0..<Int(configuration.bNumInterfaces)).flatMap { index -> [InterfaceDescription] in
            let interface = configuration.interface[index]
            return (0..<Int(interface.num_altsetting)).map { setting in
                let alternate = interface.altsetting[setting]
                let endpoints = (0..<Int(alternate.bNumEndpoints)).map { number in
                    let endpoint = alternate.endpoint[number]
                    return InterfaceDescription.Endpoint(
                        address: endpoint.bEndpointAddress, transferType: endpoint.bmAttributes & 3,
                        packetSize: Int(endpoint.wMaxPacketSize & 0x7ff))
                }
                return InterfaceDescription(
                    number: alternate.bInterfaceNumber, alternate: alternate.bAlternateSetting,
                    interfaceClass: alternate.bInterfaceClass, endpoints: endpoints)
            }
        }
    }

    /// String descriptor as text, in the first language of the device; empty if it has none or does not answer.
    private static func string(_ handle: OpaquePointer, _ index: UInt8) -> String {
        guard index != 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: 255)
        let count = libusb_get_string_descriptor_ascii(handle, index, &bytes, Int32(bytes.count))
        return count > 0 ? String(decoding: bytes.prefix(Int(count)), as: UTF8.self) : ""
    }
}
