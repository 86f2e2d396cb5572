import CLibUSB
import MeterProtocol

/// libusb's numbers and names in the words of the bus.
enum USBError {
    /// `code` is a negative `libusb_error`.
    static func failure(_ code: Int32) -> BusFailure {
        switch libusb_error(rawValue: code) {
        case LIBUSB_ERROR_TIMEOUT: .timeout
        case LIBUSB_ERROR_PIPE: .stall
        case LIBUSB_ERROR_OVERFLOW: .overflow
        case LIBUSB_ERROR_NO_DEVICE: .noDevice
        case LIBUSB_ERROR_IO: .inputOutput
        case LIBUSB_ERROR_ACCESS: .forbidden
        case LIBUSB_ERROR_BUSY: .busy(holder: nil)
        case LIBUSB_ERROR_NOT_FOUND: .notFound
        default: .other(code)
        }
    }

    /// Outcome of a finished transfer; nil = completed.
    static func failure(_ status: libusb_transfer_status) -> BusFailure? {
        switch status {
        case LIBUSB_TRANSFER_COMPLETED: nil
        case LIBUSB_TRANSFER_TIMED_OUT: .timeout
        case LIBUSB_TRANSFER_CANCELLED: .cancelled
        case LIBUSB_TRANSFER_STALL: .stall
        case LIBUSB_TRANSFER_NO_DEVICE: .noDevice
        case LIBUSB_TRANSFER_OVERFLOW: .overflow
        default: .inputOutput
        }
    }

    static func name(_ code: Int32) -> String { String(cString: libusb_error_name(code)) }
}
