import CLibUSB
import MeterProtocol

/// One libusb transfer with its buffer. Used on the bus thread only; not Sendable, so the compiler keeps it there.
///
/// While in flight it holds a reference to itself: libusb owns the memory until the callback has come, and only
/// then may it be freed.
final class BulkTransfer {
    private let raw: UnsafeMutablePointer<libusb_transfer>
    private let buffer: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    private var completion: ((BulkTransfer, Int64) -> Void)?

    private(set) var isInFlight = false
    private(set) var isCancelled = false

    /// Nil when memory is out.
    init?(capacity: Int) {
        guard let raw = libusb_alloc_transfer(0) else { return nil }
        self.raw = raw
        self.capacity = capacity
        buffer = .allocate(capacity: capacity)
    }

    deinit {
        libusb_free_transfer(raw)
        buffer.deallocate()
    }

    private static let finished: libusb_transfer_cb_fn = { transfer in
        let now = wb_monotonic_ns()
        guard let user = transfer?.pointee.user_data else { return }
        let owner = Unmanaged<BulkTransfer>.fromOpaque(user).takeRetainedValue()
        owner.isInFlight = false
        let completion = owner.completion
        owner.completion = nil
        completion?(owner, now)
    }

    /// Submits; `completion` gets the transfer and CLOCK_MONOTONIC (ns) at its end, from inside libusb's event
    /// handling. `timeoutMilliseconds` 0 = none.
    func submit(
        handle: OpaquePointer, endpoint: UInt8, length: Int, timeoutMilliseconds: UInt32,
        completion: @escaping (BulkTransfer, Int64) -> Void
    ) -> BusFailure? {
        guard !isInFlight, length <= capacity else { return .other(LIBUSB_ERROR_INVALID_PARAM.rawValue) }
        libusb_fill_bulk_transfer(
            raw, handle, endpoint, buffer, Int32(length), Self.finished, Unmanaged.passRetained(self).toOpaque(),
            timeoutMilliseconds)
        self.completion = completion
        isCancelled = false
        isInFlight = true
        let code = libusb_submit_transfer(raw)
        guard code == 0 else {
            isInFlight = false
            self.completion = nil
            Unmanaged.passUnretained(self).release()
            return USBError.failure(code)
        }
        return nil
    }

    func fits(_ length: Int) -> Bool { length <= capacity }

    func fill(_ bytes: [UInt8]) {
        buffer.update(from: bytes, count: min(bytes.count, capacity))
    }

    func cancel() {
        guard isInFlight, !isCancelled else { return }
        isCancelled = true
        _ = libusb_cancel_transfer(raw)  // NOT_FOUND = it is on its way home already
    }

    var failure: BusFailure? { USBError.failure(raw.pointee.status) }

    /// What an IN transfer brought.
    var receivedBytes: [UInt8] {
        Array(UnsafeBufferPointer(start: buffer, count: Int(raw.pointee.actual_length)))
    }
}
