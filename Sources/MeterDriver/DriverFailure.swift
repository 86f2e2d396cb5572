package import MeterProtocol

/// What can go wrong between the program and its meters, each with the sentence a technician needs.
package enum DriverFailure: Error, Sendable, Equatable {
    /// libusb itself did not start; `code` is its error number, `name` its own name for it.
    case usbUnavailable(code: Int32, name: String)
    /// The thread that serves the meters could not be made; the number is the system's.
    case noThread(errno: Int32)
    /// The USB stack could not list its devices.
    case cannotSearch(BusFailure)
    /// No meter at all is plugged in.
    case noneFound
    /// A serial that was asked for is not plugged in.
    case absent(serial: String, found: [String])
    /// The device node may not be opened by this user.
    case forbidden(serial: String, portPath: String)
    /// Somebody else holds the meter.
    case busy(serial: String, portPath: String, holder: String?)
    /// Two meters give the same serial, so a serial alone does not name one of them.
    case ambiguous(serial: String, portPaths: [String])
    /// A USB id given by the user that is none.
    case badIdentity(String)
    /// The hub was asked for something that its state does not allow, such as a second start.
    case notNow(String)
}

extension DriverFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .usbUnavailable(let code, let name):
            "libusb did not start (\(name), \(code)): check that /dev/bus/usb exists and is readable, "
                + "then run 'wattbench doctor'"
        case .noThread(let errno):
            "the system gave no thread for the meters (errno \(errno)): check the limits on processes ('ulimit -u')"
        case .cannotSearch(let failure):
            "the USB devices could not be listed (\(failure)): run 'wattbench doctor'"
        case .noneFound:
            "no meter is plugged in: check cables and the hub's power, then 'wattbench meters list'"
        case .absent(let serial, let found):
            "no meter with serial \(serial) is plugged in; found: "
                + (found.isEmpty ? "none" : found.joined(separator: ", "))
                + ". Check the cable and the hub's power, then 'wattbench meters list'"
        case .forbidden(let serial, let portPath):
            "meter \(serial.isEmpty ? "at \(portPath)" : serial) is there (port \(portPath)) but this user may not "
                + "open it: run 'scripts/install-udev', log in again, replug the meter"
        case .busy(let serial, let portPath, let holder):
            "meter \(serial.isEmpty ? "at \(portPath)" : serial) (port \(portPath)) is held by "
                + "\(holder ?? "another program"): stop it, or unbind the kernel driver ('scripts/install-udev')"
        case .ambiguous(let serial, let portPaths):
            "serial \(serial) is given by \(portPaths.count) meters (ports \(portPaths.joined(separator: ", "))): "
                + "name the meter by its port instead"
        case .badIdentity(let text):
            "'\(text)' is no USB id: write the vendor (5fc9) or vendor:product (5fc9:0063) as 'lsusb' shows them"
        case .notNow(let text): text
        }
    }
}
