import CLibUSB
import Foundation
package import MeterProtocol

extension LibUSBBus {
    /// Every meter, every device of the vendor that cannot be used, and known meters of other protocols, ordered by
    /// port path. Disturbs no running meter: names come from the kernel's own records where it has them.
    package func survey() throws(BusFailure) -> [SurveyedDevice] {
        var devices: [SurveyedDevice] = []
        try forEachDevice { device, descriptor in
            if let surveyed = examine(device, descriptor) { devices.append(surveyed) }
            return true
        }
        return devices.sorted {
            $0.found.portPath.compare($1.found.portPath, options: .numeric) == .orderedAscending
        }
    }

    /// Opens the device at the meter's port and claims its vendor interface, taking it from a kernel driver if need
    /// be. Close the handle to give it back.
    func claim(_ meter: FoundMeter) throws(BusFailure) -> (handle: OpaquePointer, interface: VendorInterface) {
        var outcome: Result<(OpaquePointer, VendorInterface), BusFailure> = .failure(.noDevice)
        try forEachDevice { device, descriptor in
            guard Self.portPath(of: device) == meter.portPath, descriptor.idVendor == meter.vendorID,
                descriptor.idProduct == meter.productID
            else { return true }
            outcome = claim(device, portPath: meter.portPath)
            return false
        }
        return try outcome.get()
    }

    private func claim(_ device: OpaquePointer, portPath: String) -> Result<
        (OpaquePointer, VendorInterface), BusFailure
    > {
        guard let interface = VendorInterface.choose(from: Self.interfaces(of: device)) else {
            return .failure(.notFound)
        }
        var opened: OpaquePointer?
        let code = libusb_open(device, &opened)
        guard code == 0, let handle = opened else { return .failure(USBError.failure(code)) }
        _ = libusb_set_auto_detach_kernel_driver(handle, 1)
        let claimed = libusb_claim_interface(handle, Int32(interface.number))
        guard claimed == 0 else {
            libusb_close(handle)
            if claimed == LIBUSB_ERROR_BUSY.rawValue {
                return .failure(.busy(holder: holder(of: device, portPath: portPath, interface: interface.number)))
            }
            return .failure(USBError.failure(claimed))
        }
        return .success((handle, interface))
    }

    /// Visits every device until `body` answers false.
    private func forEachDevice(_ body: (OpaquePointer, libusb_device_descriptor) -> Bool) throws(BusFailure) {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        let count = libusb_get_device_list(context, &list)
        guard count >= 0, let list else { throw USBError.failure(Int32(truncatingIfNeeded: count)) }
        defer { libusb_free_device_list(list, 1) }
        for index in 0..<count {
            guard let device = list[index] else { continue }
            var descriptor = libusb_device_descriptor()
            guard libusb_get_device_descriptor(device, &descriptor) == 0 else { continue }
            if !body(device, descriptor) { return }
        }
    }

    private func examine(_ device: OpaquePointer, _ descriptor: libusb_device_descriptor) -> SurveyedDevice? {
        let portPath = Self.portPath(of: device)
        let sysfs = SysfsDevice(portPath: portPath)
        let interfaces = Self.interfaces(of: device)
        let kind: SurveyedDevice.Kind
        if rules.matches(vendorID: descriptor.idVendor, productID: descriptor.idProduct) {
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
            if !channels.contains(where: { $0.portPath == portPath }) {
                tryOut(device, descriptor, interface, bound: bound, into: &found)
            }
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
        // A kernel driver is taken off at open, so it does not make the meter busy; leave it bound while only looking.
        if let bound, bound != "usbfs" { return }
        if libusb_kernel_driver_active(handle, Int32(interface.number)) == 1 { return }
        let claimed = libusb_claim_interface(handle, Int32(interface.number))
        if claimed == 0 {
            _ = libusb_release_interface(handle, Int32(interface.number))
        } else if claimed == LIBUSB_ERROR_BUSY.rawValue {
            found.access = .busy(
                holder: holder(of: device, portPath: found.portPath, interface: interface.number))
        }
    }

    private func holder(of device: OpaquePointer, portPath: String, interface: UInt8) -> String? {
        if let program = DeviceHolder.program(holding: Self.node(of: device)) { return program }
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
