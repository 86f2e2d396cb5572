import CLibUSB
import MeterProtocol

/// The claimed vendor interface of one real meter. Bus thread only.
final class LibUSBChannel: MeterChannel {
    /// A USB bus answers an OUT of a few bytes within a millisecond; a halted or absent device does not.
    private static let sendTimeoutMilliseconds: UInt32 = 250

    let portPath: String
    private weak var bus: LibUSBBus?
    private let handle: OpaquePointer
    private let interface: VendorInterface
    private let sink: (ChannelEvent) -> Void
    private var reads: [BulkTransfer] = []
    private var writes: [BulkTransfer] = []
    private(set) var isClosing = false
    private(set) var isReleased = false

    init(
        bus: LibUSBBus, handle: OpaquePointer, interface: VendorInterface, portPath: String,
        sink: @escaping (ChannelEvent) -> Void
    ) {
        self.bus = bus
        self.handle = handle
        self.interface = interface
        self.portPath = portPath
        self.sink = sink
    }

    func deliver(_ event: ChannelEvent) {
        if !isClosing { sink(event) }
    }

    func postRead(readLength: Int) {
        guard !isClosing else { return }
        guard !reads.contains(where: { $0.isInFlight && !$0.isCancelled }) else {
            return fail(.busy(holder: "this program's own read"))
        }
        // A length that is no multiple of the packet size loses data when the meter fills the last packet.
        let packets = max(1, (readLength + interface.packetSize - 1) / interface.packetSize)
        let length = packets * interface.packetSize
        guard let transfer = idle(in: &reads, capacity: length) else {
            return fail(.other(LIBUSB_ERROR_NO_MEM.rawValue))
        }
        let failure = transfer.submit(
            handle: handle, endpoint: interface.inAddress, length: length, timeoutMilliseconds: 0
        ) { [self] transfer, now in
            if let failure = transfer.failure {
                bus?.enqueue(.failed(failure, atNanoseconds: now), for: self)
            } else {
                bus?.enqueue(.received(transfer.receivedBytes, atNanoseconds: now), for: self)
            }
        }
        if let failure { fail(failure) }
    }

    func send(_ frame: [UInt8]) {
        guard !isClosing else { return }
        // Checked where frames are made, and again here: what leaves this line reaches the meter.
        guard (try? FrameGuard.check(frame)) != nil else { return fail(.forbidden) }
        guard let transfer = idle(in: &writes, capacity: max(64, frame.count)) else {
            return fail(.other(LIBUSB_ERROR_NO_MEM.rawValue))
        }
        transfer.fill(frame)
        let failure = transfer.submit(
            handle: handle, endpoint: interface.outAddress, length: frame.count,
            timeoutMilliseconds: Self.sendTimeoutMilliseconds
        ) { [self] transfer, now in
            switch transfer.failure {
            case nil: bus?.enqueue(.sent(atNanoseconds: now), for: self)
            case .cancelled: break  // only a cancelled read is reported
            case let failure?: bus?.enqueue(.failed(failure, atNanoseconds: now), for: self)
            }
        }
        if let failure { fail(failure) }
    }

    func cancel() {
        for transfer in reads + writes { transfer.cancel() }
    }

    func clearHalt() {
        guard !isClosing else { return }
        _ = libusb_clear_halt(handle, interface.inAddress)
        _ = libusb_clear_halt(handle, interface.outAddress)
    }

    func close() {
        guard !isClosing else { return }
        isClosing = true
        cancel()
        bus?.retire(self)
    }

    /// Cancelled transfers that have not come home yet: nothing may be freed while there are any.
    var outstanding: Int { (reads + writes).count { $0.isInFlight } }

    /// Second half of `close`, when everything is home.
    func release() {
        guard !isReleased, outstanding == 0 else { return }
        isReleased = true
        // With auto-detach this also gives the interface back to the kernel driver it was taken from.
        _ = libusb_release_interface(handle, Int32(interface.number))
        libusb_close(handle)
    }

    private func fail(_ failure: BusFailure) {
        bus?.enqueue(.failed(failure, atNanoseconds: wb_monotonic_ns()), for: self)
    }

    private func idle(in pool: inout [BulkTransfer], capacity: Int) -> BulkTransfer? {
        if let free = pool.first(where: { !$0.isInFlight && $0.fits(capacity) }) { return free }
        guard let made = BulkTransfer(capacity: capacity) else { return nil }
        pool.append(made)
        return made
    }
}
